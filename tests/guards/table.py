"""The guards of the system, and for each of them the test that fails when it is taken out.

A guard is a line of source without which everything seems to work, until something dies at a bad moment.
"""

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNIT, REAL, MUTANTS = "tests/unit", "tests/integration", "tests/faults/test_mutants.py"
SLICES, SENSORS, JOIN = f"{REAL}/test_slices.py", f"{REAL}/test_sensors.py", f"{REAL}/test_join.py"

ORPHAN = "test_inline_runs_carry_their_process_and_an_orphan_is_not_taken_again"


@dataclass(frozen=True, slots=True)
class Guard:
    """What it is for, the text that holds it, what stands there without it, and the test that tells."""

    promise: str
    file: str
    kept: str
    removed: str
    test: str

    @property
    def without(self) -> str:
        """The file's source without the guard.

        Raises:
            ValueError: the text is not there exactly once: the source has changed, and this table with it.
        """
        source = (ROOT / self.file).read_text()
        if source.count(self.kept) != 1:
            message = f"{self.file} holds {self.kept!r} {source.count(self.kept)} times, not once"
            raise ValueError(message)
        return source.replace(self.kept, self.removed)


def is_there(guard: Guard) -> bool:
    """Tell whether the guard's test exists."""
    file, _, name = guard.test.partition("::")
    function = name.partition("[")[0]
    tree = ast.parse((ROOT / file).read_text())
    return any(isinstance(node, ast.FunctionDef) and node.name == function for node in ast.walk(tree))


GUARDS: tuple[Guard, ...] = (
    Guard(
        "a rerun of an old run fences nobody: progress is read before init",
        "infra/kafka/slices.py",
        "elif self._is_done():  # step 1",
        "elif False:  # step 1",
        f"{SLICES}::test_a_rerun_of_an_old_slice_does_not_fence_the_live_one",
    ),
    Guard(
        "a late zombie processes nothing twice: progress is read again after init",
        "infra/kafka/slices.py",
        "        if self._is_done():\n            self._finish(self._warm)",
        "",
        f"{SLICES}::test_who_wakes_before_init_finds_the_slice_done",
    ),
    Guard(
        "a slice begins where the group stands, or is planned again",
        "infra/kafka/slices.py",
        "if at == self.starts:",
        "if at is not None:",
        f"{SLICES}::test_a_gap_or_a_missing_offset_is_refused",
    ),
    Guard(
        "a warm producer skips the look only behind its own last commit",
        "infra/kafka/slices.py",
        "spare.ended_at.get(TopicPartition(*spot)) == at for",
        "spare.ended_at is not at for",
        f"{SLICES}::test_a_warm_producer_looks_again_where_it_did_not_end",
    ),
    Guard(
        "the transactional id is stable, so that the last process fences the others",
        "infra/kafka/slices.py",
        'return f"{flow}.{first.partition}" if',
        'return f"{flow}.{id(ranges)}" if id(ranges) else f"{flow}.{first.partition}" if',
        f"{SLICES}::test_a_late_zombie_publishes_nothing",
    ),
    Guard(
        "every record is acknowledged before the commit",
        "infra/kafka/transaction.py",
        "    _check(futures)\n",
        "",
        f"{SLICES}::test_a_commit_that_lost_a_record_is_refused",
    ),
    Guard(
        "a producer that saw an error is thrown away: its offsets would leak into the next transaction",
        "infra/kafka/transaction.py",
        "warm.discard()  # pending offsets",
        "pass  # pending offsets",
        f"{SLICES}::test_offsets_of_an_aborted_transaction_do_not_leak",
    ),
    Guard(
        "progress is committed with the outputs",
        "infra/kafka/transaction.py",
        "            _add_offsets(warm.producer, progress, seconds)\n",
        "",
        f"{SLICES}::test_a_slice_commits_outputs_progress_and_ledger_once",
    ),
    Guard(
        "send_offsets has a bound",
        "infra/kafka/transaction.py",
        'bounded(send, seconds, "send_offsets")',
        "send()",
        f"{UNIT}/test_transaction.py::test_a_call_that_hangs_is_given_up[send_offsets_to_transaction]",
    ),
    Guard(
        "a commit has a bound",
        "infra/kafka/transaction.py",
        'bounded(warm.producer.commit_transaction, seconds, "commit_transaction", meanwhile=sent)',
        "warm.producer.commit_transaction()",
        f"{UNIT}/test_transaction.py::test_a_call_that_hangs_is_given_up[commit_transaction]",
    ),
    Guard(
        "an abort has a bound",
        "infra/kafka/transaction.py",
        'bounded(warm.producer.abort_transaction, ABORT_SECONDS, "abort_transaction")',
        "warm.producer.abort_transaction()",
        f"{UNIT}/test_transaction.py::test_an_abort_that_hangs_is_given_up",
    ),
    Guard(
        "init has a bound",
        "infra/kafka/pool.py",
        'bounded(warm.producer.init_transactions, seconds, f"init_transactions of {transactional_id}")',
        "warm.producer.init_transactions()",
        f"{UNIT}/test_transaction.py::test_an_init_that_hangs_is_given_up",
    ),
    Guard(
        "who was fenced aborts nothing: what is open is its successor's",
        "infra/kafka/transaction.py",
        "    except FENCED as error:",
        "    except ZeroDivisionError as error:",
        f"{UNIT}/test_transaction.py::test_who_is_fenced_is_superseded_and_aborts_nothing",
    ),
    Guard(
        "nothing of an open or aborted transaction is read",
        "infra/kafka/clients.py",
        'isolation_level="read_committed"',
        'isolation_level="read_uncommitted"',
        f"{MUTANTS}::test_the_system_passes[aborted_input]",
    ),
    Guard(
        "a missing committed offset stops, and is not taken for 0",
        "infra/kafka/reading.py",
        '            raise StopError(missing_offset(reader.config["group_id"], partition))',
        "            offset = 0",
        f"{SLICES}::test_a_gap_or_a_missing_offset_is_refused",
    ),
    Guard(
        "an offset out of range stops, and is not reset",
        "infra/kafka/clients.py",
        'auto_offset_reset="none"',
        'auto_offset_reset="earliest"',
        f"{SLICES}::test_an_offset_beyond_the_topic_stops",
    ),
    Guard(
        "a slice ends early once it holds too many bytes",
        "infra/kafka/reading.py",
        "(most_bytes is None or size <= most_bytes)",
        "True",
        f"{SLICES}::test_a_slice_of_too_many_bytes_ends_early_and_the_next_goes_on",
    ),
    Guard(
        "after a slice that may have ended early the broker is asked where",
        "sensors/settle.py",
        "if size(work.ranges) * LARGEST_RECORD <= self.settings.slice_bytes:",
        "if work.ranges:",
        f"{UNIT}/test_settle.py::test_where_a_slice_may_have_ended_early_the_broker_is_asked",
    ),
    Guard(
        "what was committed is awaited before somebody looks it up",
        "infra/kafka/reading.py",
        "written = {spot: offset for spot, offset in written.items() if ends[spot] <= offset}",
        "written = {spot: offset for spot, offset in written.items() if not ends}",
        f"{UNIT}/test_reading.py::test_what_was_committed_is_awaited",
    ),
    Guard(
        "a record under a wrong key is sent on to its symbol's partition",
        "infra/kafka/work.py",
        "if topic.spread and self._misplaced(record, event):",
        "if topic.spread and self._misplaced is None:",
        f"{SLICES}::test_a_record_in_the_wrong_partition_is_sent_on",
    ),
    Guard(
        "a partition count that changed stops the sensor",
        "infra/kafka/topics.py",
        "if name in TOPICS and count != partitions(settings, name):",
        "if name in TOPICS and count < 0:",
        f"{SENSORS}::test_a_broker_that_does_not_fit_stops_the_sensor",
    ),
    Guard(
        "joined topics have the same number of partitions",
        "infra/kafka/topics.py",
        "if len({existing[name] for name in CO_PARTITIONED if name in existing}) > 1:",
        "if not existing and CO_PARTITIONED == ():",
        f"{UNIT}/test_checks.py::test_joined_topics_have_as_many_partitions",
    ),
    Guard(
        "broker settings that silence would break are looked at before the start",
        "sensors/sensor.py",
        "            checks.require(self.settings, self.route.topics)\n",
        "",
        f"{SENSORS}::test_a_broker_that_does_not_fit_stops_the_sensor",
    ),
    Guard(
        "a group's offsets are kept for a year",
        "infra/kafka/checks.py",
        '"offsets.retention.minutes": YEAR_MINUTES,',
        "",
        f"{UNIT}/test_checks.py::test_a_broker_that_forgets_or_refuses_is_named",
    ),
    Guard(
        "an acknowledged record is on two brokers of a cluster",
        "infra/kafka/checks.py",
        'rules.append(("min.insync.replicas", lambda n: n > 1, "at least 2"))',
        "pass",
        f"{UNIT}/test_checks.py::test_three_replicas_are_of_no_use_if_one_is_enough",
    ),
    Guard(
        "the topic of dead letters takes large records",
        "infra/kafka/checks.py",
        'rules.append(("max.message.bytes", lambda n: n >= LETTER_BYTES, f"at least {LETTER_BYTES}"))',
        "pass",
        f"{UNIT}/test_checks.py::test_dead_letters_have_to_take_large_records",
    ),
    Guard(
        "a join that outlasts a poll is kept: the client would begin it anew, or forget it",
        "infra/kafka/mended.py",
        "    _keep_joins(consumer._coordinator)  # noqa: SLF001\n",
        "",
        "tests/faults/test_connection.py::test_a_member_gets_into_its_group_over_a_long_line",
    ),
    Guard(
        "a displaced sensor notices it",
        "sensors/membership.py",
        "        if _heart_stopped(self.consumer):\n            raise SupersededError(self._displaced())\n",
        "",
        f"{SENSORS}::test_a_second_sensor_of_a_name_displaces_the_first",
    ),
    Guard(
        "a displaced sensor comes back only to a free place",
        "sensors/host.py",
        "            await_place(is_free)\n",
        "",
        f"{UNIT}/test_host.py::test_a_superseded_sensor_comes_back_only_to_a_free_place",
    ),
    Guard(
        "a sensor is a static member, and back within the session causes no rebalance",
        "sensors/membership.py",
        "            group_instance_id=member_name(settings, route.flow),\n",
        "",
        f"{SENSORS}::test_a_sensor_back_within_the_session_finds_its_partitions",
    ),
    Guard(
        "progress behind the end of a topic stops the sensor",
        "sensors/sensor.py",
        "            member.require_there(work.starts)\n        try:",
        "        try:",
        f"{SENSORS}::test_progress_behind_the_end_stops_the_sensor",
    ),
    Guard(
        "a record that killed the process twice alone is not executed again",
        "sensors/sensor.py",
        "        if first.proven:",
        "        if first.proven is None:",
        f"{SENSORS}::test_a_record_that_kills_the_process_is_found_and_given_up",
    ),
    Guard(
        "an outage makes no dead letter, also where its error has no name",
        "sensors/settle.py",
        "if away := servers_away(self.settings):",
        "if away := str():",
        f"{UNIT}/test_settle.py::test_nothing_is_given_up_while_a_server_is_away",
    ),
    Guard(
        "a record is given up for its own failures, not for those of a shared run",
        "sensors/settle.py",
        "        if work.shared:\n",
        "        if work.shared is None:\n",
        f"{UNIT}/test_settle.py::test_a_failure_of_a_shared_run_is_nobodys_yet",
    ),
    Guard(
        "a slice that fails on its data is halved",
        "sensors/plan.py",
        "self.limit = max(1, offsets // 2)",
        "self.limit = offsets",
        f"{UNIT}/test_plan.py::test_bad_data_is_halved_down_to_one_record",
    ),
    Guard(
        "a dead letter keeps the end of the traceback, however long the message is",
        "infra/kafka/records.py",
        "[-HEADER_BYTES:]",
        "[:HEADER_BYTES]",
        f"{UNIT}/test_letters.py::test_a_long_message_leaves_room_for_the_traceback",
    ),
    Guard(
        "a long message does not displace the lines of its own traceback",
        "sensors/isolate.py",
        "{str(one)[:MESSAGE_CHARACTERS]}",
        "{one}",
        f"{UNIT}/test_letters.py::test_a_traceback_tells_the_lines_and_not_the_message_again",
    ),
    Guard(
        "a slice that never gets through is halved: its size may be what the world can't take",
        "sensors/settle.py",
        "            self._count_outage(work)\n",
        "",
        f"{UNIT}/test_settle.py::test_outages_of_the_same_slice_halve_it",
    ),
    Guard(
        "only outages of the same slice halve it",
        "sensors/settle.py",
        "            work.away_at, work.patience.outages = at, 0\n",
        "            work.away_at = at\n",
        f"{UNIT}/test_settle.py::test_outages_of_different_slices_halve_nothing",
    ),
    Guard(
        "retries of copies that failed together are spread",
        "sensors/settle.py",
        "return seconds * random.uniform(0.7, 1.3)",
        "return seconds * 1.0",
        f"{UNIT}/test_settle.py::test_copies_that_failed_together_do_not_come_back_together",
    ),
    Guard(
        "whoever was superseded polls before it plans again",
        "sensors/settle.py",
        "+ (TAKEOVER_SECONDS if superseded else 0.0)",
        "+ (0.0 if superseded else 0.0)",
        f"{UNIT}/test_settle.py::test_after_a_takeover_the_unit_waits_for_a_poll",
    ),
    Guard(
        "a sensor that crashed is started again",
        "sensors/host.py",
        '            log.exception("%s crashed; starting it again in %.0f s", name, pause)',
        "            return",
        f"{UNIT}/test_host.py::test_a_sensor_that_crashes_is_running_again_within_a_minute",
    ),
    Guard(
        "lag without progress is unhealthy",
        "infra/stack/status.py",
        "if stuck > limit",
        "if stuck < 0",
        f"{UNIT}/test_health.py::test_no_progress_is_unhealthy",
    ),
    Guard(
        "a partition that gets nowhere is unhealthy while others get on",
        "infra/kafka/lag.py",
        "when = last.get((row.group, row.topic, row.partition))",
        "when = max((at for spot, at in last.items() if spot[0] == row.group), default=None)",
        f"{REAL}/test_lag.py::test_a_commit_counts_for_its_own_partition",
    ),
    Guard(
        "a run that somebody else began is not taken for a new one",
        "sensors/dispatch.py",
        "return waiting and set(ours) <= set(run.tags)",
        "return waiting or set(ours) <= set(run.tags)",
        f"{REAL}/test_orphans.py::{ORPHAN}",
    ),
    Guard(
        "a run that never began is no evidence against a record",
        "infra/prefect_orphans.py",
        "return NEVER_BEGAN if run.state and run.state.is_pending() else GONE",
        "return GONE",
        f"{REAL}/test_orphans.py::test_only_a_run_that_had_begun_is_a_death",
    ),
    Guard(
        "runs of a former topic are no evidence against a record",
        "infra/prefect_orphans.py",
        "if is_of(settings, run.tags, _topics(slices := slices_of(run)))]",
        "if (slices := slices_of(run))]",
        f"{REAL}/test_orphans.py::test_only_a_run_that_had_begun_is_a_death",
    ),
    Guard(
        "progress covers only runs of the topics as they are",
        "infra/prefect_orphans.py",
        "if not slices or (tagged(run.tags) and not is_of(settings, run.tags, _topics(slices))):",
        "if not slices:",
        f"{REAL}/test_orphans.py::test_progress_on_a_topic_made_anew_covers_no_run_of_the_former",
    ),
    Guard(
        "attempts are counted for a topic, and not for its name",
        "sensors/dispatch.py",
        'idempotency_key=f"{topics}:{self.route.flow}',
        'idempotency_key=f"{self.route.flow}',
        f"{UNIT}/test_dispatch.py::test_a_topic_that_was_made_anew_has_runs_of_its_own",
    ),
    Guard(
        "runs of other machines, and of a worker, are closed as well",
        "infra/prefect_lost.py",
        "there = _members(settings, name) if quiet else set[str]()",
        "quiet, there = [], set[str]()",
        f"{REAL}/test_orphans.py::test_runs_of_other_machines_are_closed_by_what_the_group_tells",
    ),
    Guard(
        "a sensor's own run is not closed for how long it lasts",
        "infra/prefect_lost.py",
        "late = not lasting and _silence(run)",
        "late = _silence(run)",
        f"{REAL}/test_orphans.py::test_runs_of_other_machines_are_closed_by_what_the_group_tells",
    ),
    Guard(
        "a reconciliation closes lost runs",
        "tasks/reconciling.py",
        "(*close_orphans(settings, flow), *close_lost(settings, flow))",
        "close_orphans(settings, flow)",
        f"{UNIT}/test_reconciling.py::test_lost_runs_of_every_flow_and_sensor_are_closed",
    ),
    Guard(
        "a run of another machine is left alone while its copy is in the group",
        "infra/prefect_lost.py",
        "bool(members) and not members & there",
        "bool(members)",
        f"{REAL}/test_orphans.py::test_runs_of_other_machines_are_closed_by_what_the_group_tells",
    ),
    Guard(
        "a young run is left alone: it may be about to tell its end",
        "infra/prefect_lost.py",
        "if _silence(run) > QUIET_SECONDS]",
        "if _silence(run) > -1]",
        f"{REAL}/test_orphans.py::test_orphans_end_as_what_became_of_them",
    ),
    Guard(
        "a sensor that comes back awaits the run that the worker has",
        "sensors/dispatch.py",
        "self._under_way(ranges) or self._new_run(ranges, Scheduled())",
        "self._new_run(ranges, Scheduled())",
        f"{UNIT}/test_dispatch.py::test_a_sensor_that_comes_back_awaits_the_run_that_is_there",
    ),
    Guard(
        "what an earlier run did not hold is not taken for done",
        "sensors/dispatch.py",
        "        if done != ranges:  # what",
        "        if not done:  # what",
        f"{UNIT}/test_dispatch.py::test_a_sensor_that_comes_back_awaits_the_run_that_is_there",
    ),
    Guard(
        "a worker that does not come to an end is an outage",
        "infra/prefect_runs.py",
        "        raise TryAgainError(message) from error\n    return ended.state",
        "        raise RuntimeError(message) from error\n    return ended.state",
        f"{UNIT}/test_dispatch.py::test_a_worker_that_does_not_come_to_an_end_is_an_outage",
    ),
    Guard(
        "a refusal of the Prefect server is an outage",
        "sensors/dispatch.py",
        "        except PrefectException as error:",
        "        except ZeroDivisionError as error:",
        f"{UNIT}/test_dispatch.py::test_a_refusal_of_the_prefect_server_is_an_outage",
    ),
    Guard(
        "one partition alone asks for the retraining of a version",
        "tasks/monitoring.py",
        "return not loop.training.has(event_id) and state.claim(loop.database, event_id, cause.place)",
        "return not loop.training.has(event_id)",
        f"{REAL}/test_monitoring.py::test_two_partitions_at_once_complain_of_a_version_once",
    ),
    Guard(
        "a claim belongs to a partition, so that its retry with other boundaries may ask",
        "infra/database/state.py",
        "return owner == place[:2]",
        "return owner is None",
        f"{REAL}/test_monitoring.py::test_a_retry_with_other_boundaries_asks_as_well",
    ),
    Guard(
        "a lack of threads is the machine's outage",
        "sensors/failures.py",
        "return NO_THREAD in str(error)",
        "return False",
        f"{UNIT}/test_failures.py::test_the_kind_decides",
    ),
    Guard(
        "a slice waits a little for more records",
        "sensors/sensor.py",
        "now - work.news_since >= self.linger",
        "now >= work.news_since",
        f"{UNIT}/test_sensor.py::test_a_slice_waits_a_little_for_more",
    ),
    Guard(
        "a full slice waits for nothing",
        "sensors/sensor.py",
        "return size(work.ranges) >= work.patience.next_limit or now",
        "return now",
        f"{UNIT}/test_sensor.py::test_a_full_slice_waits_for_nothing",
    ),
    Guard(
        "a slice holds no more records than its deployment says",
        "sensors/sensor.py",
        "self.most = route.records or settings.slice_records",
        "self.most = settings.slice_records",
        f"{UNIT}/test_sensor.py::test_a_full_slice_waits_for_nothing",
    ),
    Guard(
        "partitions that were lost are planned no more",
        "sensors/sensor.py",
        "            del self.work[unit]\n",
        "",
        f"{UNIT}/test_sensor.py::test_what_was_lost_is_let_go",
    ),
    Guard(
        "who can't learn of earlier attempts waits, and suspects no record",
        "sensors/sensor.py",
        "Outcome.STOP if stop else Outcome.AGAIN",
        "classify(error)",
        f"{UNIT}/test_sensor.py::test_who_can_not_ask_for_earlier_attempts_waits",
    ),
    Guard(
        "a changed number of partitions stops a running sensor",
        "sensors/membership.py",
        "        self._check_partitions()\n",
        "",
        f"{UNIT}/test_membership.py::test_a_changed_number_of_partitions_stops",
    ),
    Guard(
        "a running sensor on a real broker notices new partitions",
        "sensors/membership.py",
        "        self._check_partitions()\n",
        "",
        f"{REAL}/test_partitions.py::test_more_partitions_stop_the_sensor",
    ),
    Guard(
        "a member that is told of its successor is superseded",
        "sensors/membership.py",
        "        except FencedInstanceIdError as error:",
        "        except ZeroDivisionError as error:",
        f"{UNIT}/test_membership.py::test_a_member_that_is_told_of_its_successor_is_superseded",
    ),
    Guard(
        "a position out of range is looked into",
        "sensors/membership.py",
        "self.require_there(self.progress(tuple(error.args[0])))  # by partition",
        "del error",
        f"{UNIT}/test_membership.py::test_a_position_out_of_range_stops_where_the_progress_is_out_of_range",
    ),
    Guard(
        "a server that does not answer is named before a record is given up",
        "sensors/isolate.py",
        "if part.name in SERVERS and not answers(settings, part)]",
        "if part.name not in SERVERS]",
        f"{SENSORS}::test_a_server_that_does_not_answer_is_named",
    ),
    Guard(
        "a dead letter of a sensor tells its error and where it came from",
        "sensors/isolate.py",
        "work.refuse(result.why, result.error, traceback_of(result.error))",
        "work.refuse(result.why)",
        f"{SENSORS}::test_a_letter_tells_all_about_the_failure",
    ),
    Guard(
        "an event that is delivered twice counts once",
        "tasks/deliveries.py",
        "return [r for r in received if tuple(r.place) not in repeats]",
        "return received",
        f"{REAL}/test_deliveries.py::test_a_repeat_in_the_same_slice_or_a_later_one_makes_nothing",
    ),
    Guard(
        "rows of a failed attempt are not seen by a slice before them",
        "infra/database/join_memory.py",
        'AND i."offset" < %(before)s AND {counts} OFFSET 0\n    ) AS s\n    UNION ALL',
        "AND {counts} OFFSET 0\n    ) AS s\n    UNION ALL",
        f"{JOIN}::test_a_slice_that_is_done_again_tells_the_same",
    ),
    Guard(
        "the join stops where its memory does not reach",
        "infra/database/join_memory.py",
        "        if found[topic] < start:",
        "        if found[topic] < 0:",
        f"{JOIN}::test_a_memory_that_lags_behind_is_noticed",
    ),
    Guard(
        "a dead letter counts in the join once it is resolved",
        "infra/database/join_memory.py",
        'return f"({table}.letter_id IS NULL OR {table}.letter_id = ANY(%(letters)s))"',
        'return "(%(letters)s::text[] IS NOT NULL)"',
        f"{JOIN}::test_a_letter_counts_from_its_resolution_on",
    ),
    Guard(
        "a redrive takes turns with the live slices",
        "infra/kafka/redriving.py",
        "self._pool.new_producer(transactional_id(self._run.flow, ranges))",
        'self._pool.new_producer(f"redrive.{transactional_id(self._run.flow, ranges)}")',
        f"{REAL}/test_redriving.py::test_a_live_slice_under_way_is_superseded_and_done_afterwards",
    ),
    Guard(
        "a letter is resolved once",
        "tasks/redriving.py",
        "for one in letters if one.id not in done]",
        "for one in letters]",
        f"{REAL}/test_redriving.py::test_redriving_twice_changes_nothing",
    ),
    Guard(
        "a batch is projected only from where the projection stands",
        "infra/database/projected.py",
        "        table.c.next_offset == start,\n    )\n    moved",
        "    )\n    moved",
        f"{REAL}/test_follow.py::test_two_projectors_at_once_lose_and_double_nothing",
    ),
    Guard(
        "a projection ahead of its topic stops",
        "infra/kafka/follow.py",
        "if at[place] > ends[partition]:",
        "if at[place] < 0:",
        f"{REAL}/test_follow.py::test_a_projection_ahead_of_its_topic_stops",
    ),
    Guard(
        "a source that failed is opened, and fences, before it publishes again",
        "infra/kafka/source.py",
        "        warm, self._warm = self._warm, None\n        if warm is None:",
        "        warm = self._warm\n        if warm is None:",
        f"{SLICES}::test_a_source_that_failed_has_to_look_before_it_publishes",
    ),
    Guard(
        "a record's delivery ends before its transaction does",
        "infra/settings.py",
        "        if value >= longest:",
        "        if value < 0:",
        f"{UNIT}/test_checks.py::test_time_outs_that_do_not_fit_are_refused",
    ),
)
