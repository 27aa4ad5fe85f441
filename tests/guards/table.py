"""The guards of the system, and for each of them the test that fails when it is taken out.

A guard is a line of source without which everything seems to work, until something dies at a bad moment.
"""

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNIT, REAL, MUTANTS = "tests/unit", "tests/integration", "tests/faults/test_mutants.py"
SLICES, SENSORS, JOIN = f"{REAL}/test_slices.py", f"{REAL}/test_sensors.py", f"{REAL}/test_join.py"
BOUNDS = f"{UNIT}/test_bounds.py::test_a_question_that_hangs_is_given_up"
POOL, REDRIVES = f"{REAL}/test_pool.py", f"{REAL}/test_redriving.py"

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
        "    futures = [future for future in futures if future.succeeded()]\n",
        f"{SLICES}::test_a_commit_that_lost_a_record_is_refused[predictions]",
    ),
    Guard(
        "nothing is committed where a broker lost a record, although the client would",
        "infra/kafka/transaction.py",
        "    _check(futures)\n",
        "    futures = [future for future in futures if future.succeeded()]\n",
        "tests/faults/test_lost_record.py::test_ours_refuses_to_commit",
    ),
    Guard(
        "the ledger's entry is acknowledged before the commit as well",
        "infra/kafka/transaction.py",
        "_send_all(settings, warm.producer, [closing(_ranges(written))])",
        "_send(settings, warm.producer, closing(_ranges(written)))",
        f"{SLICES}::test_a_commit_that_lost_a_record_is_refused[slices]",
    ),
    Guard(
        "who was fenced while it sent is superseded, and does not try again",
        "infra/kafka/transaction.py",
        "        if isinstance(future.exception, FENCED):",
        "        if future is None:",
        f"{UNIT}/test_transaction.py::test_a_record_that_was_fenced_is_told_as_superseded",
    ),
    Guard(
        "a slice reads nothing that lies behind its end",
        "infra/kafka/reading.py",
        " if record.offset < wanted[p].end]",
        "]",
        f"{SLICES}::test_an_end_between_records_and_markers_is_kept_to",
    ),
    Guard(
        "a slice reads nothing that lies behind its end, however much a poll gives",
        "infra/kafka/reading.py",
        " if record.offset < wanted[p].end]",
        "]",
        f"{UNIT}/test_reading.py::test_what_lies_behind_the_end_is_left_out",
    ),
    Guard(
        "a slice is committed once",
        "infra/kafka/slices.py",
        "        warm, self._warm = self._warm, None\n",
        "        warm = self._warm\n",
        f"{SLICES}::test_a_second_commit_of_a_slice_is_refused",
    ),
    Guard(
        "an exception in a slice ends its producer",
        "infra/kafka/slices.py",
        "            work.abandon()\n",
        "            pass\n",
        f"{SLICES}::test_an_exception_in_a_slice_ends_its_producer",
    ),
    Guard(
        "who commits a slice finds what it wrote to a topic that is looked up",
        "infra/kafka/slices.py",
        "        await_visible(self._reader, written)\n",
        "",
        f"{SLICES}::test_a_slice_finds_what_it_just_committed",
    ),
    Guard(
        "a redrive is committed once",
        "infra/kafka/redriving.py",
        "        warm, self._warm = self._warm, None\n",
        "        warm = self._warm\n",
        f"{REDRIVES}::test_a_second_commit_of_a_redrive_is_refused",
    ),
    Guard(
        "an exception in a redrive ends its producer",
        "infra/kafka/redriving.py",
        "            redrive.abandon()\n",
        "            pass\n",
        f"{REDRIVES}::test_an_exception_in_a_redrive_ends_its_producer",
    ),
    Guard(
        "a letter that a redrive resolved is found resolved at once",
        "infra/kafka/redriving.py",
        "            await_visible(self._reader, self._transact(warm))\n",
        "            self._transact(warm)\n",
        f"{REDRIVES}::test_a_redrive_finds_what_it_just_committed",
    ),
    Guard(
        "a projector moves its positions in the transaction of its rows",
        "infra/database/projected.py",
        "        _advance(connection, projector, starts, ends)\n",
        "        with transaction(engine) as apart:\n            _advance(apart, projector, starts, ends)\n",
        f"{REAL}/test_follow.py::test_a_projector_that_dies_between_positions_and_rows",
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
        "        if not fenced and not isinstance(error, OutcomeUnknownError):",
        "        if not isinstance(error, OutcomeUnknownError):",
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
        "if name in TOPICS and count != partitions(settings, name)\n",
        "if name in TOPICS and count < 0\n",
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
        "if far.lag and stuck > limit",
        "if far.lag and stuck < 0",
        f"{UNIT}/test_health.py::test_no_progress_is_unhealthy",
    ),
    Guard(
        "a run that somebody else began is not taken for a new one",
        "sensors/dispatch.py",
        "return waiting and set(ours) <= set(run.tags)",
        "return waiting or set(ours) <= set(run.tags)",
        f"{REAL}/test_orphans.py::{ORPHAN}",
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
    Guard(
        "a producer that is thrown away is ended, also with records pending",
        "infra/kafka/bounded.py",
        "    sender.force_close()\n",
        "",
        f"{POOL}::test_a_producer_with_records_pending_is_ended",
    ),
    Guard(
        "throwing a producer away hides nothing: a fenced one is told to be superseded",
        "infra/kafka/bounded.py",
        "    except Exception as error:  # noqa: BLE001",
        "    except ZeroDivisionError as error:  # noqa: BLE001",
        f"{UNIT}/test_transaction.py::test_a_producer_that_can_not_be_ended_hides_nothing",
    ),
    Guard(
        "who was fenced is superseded, also where a later send tells it in a wrapper",
        "infra/kafka/transaction.py",
        "for one in (error, *error.args))",
        "for one in (error,))",
        f"{UNIT}/test_transaction.py::test_who_is_fenced_is_superseded_and_aborts_nothing",
    ),
    Guard(
        "letters get through on a busy partition: fewer at a time after each takeover",
        "tasks/redriving.py",
        "most, lost = max(1, len(left) // 2), lost + 1",
        "lost = lost + 1",
        f"{REDRIVES}::test_letters_get_through_on_a_busy_partition",
    ),
    Guard(
        "a partition that is taken over again and again is left for another time",
        "tasks/redriving.py",
        "if lost > MOST_TAKEOVERS or wait(",
        "if wait(",
        f"{REDRIVES}::test_a_partition_that_never_lets_go_is_left",
    ),
    Guard(
        "a replay takes no more slices than were meant: offsets without a topic are refused",
        "infra/cli/replay.py",
        "elif given and not topic:",
        "elif given and topic is given:",
        f"{UNIT}/test_cli_replay.py::test_what_would_not_be_looked_at_is_refused",
    ),
    Guard(
        "a replay of a run is not narrowed silently",
        "infra/cli/replay.py",
        "elif run and (topic or given):",
        "elif run and not run:",
        f"{UNIT}/test_cli_replay.py::test_what_would_not_be_looked_at_is_refused",
    ),
    Guard(
        "nobody writes by a number of partitions that changed, also who has no sensor",
        "infra/kafka/pool.py",
        "            require_counts(self.settings)\n",
        "",
        f"{POOL}::test_nobody_writes_by_a_number_of_partitions_that_changed",
    ),
    Guard(
        "the topics that a flow writes are looked at before the start as well",
        "infra/kafka/checks.py",
        "faults(settings, (*TOPICS, *topics))",
        "faults(settings, topics)",
        f"{UNIT}/test_checks.py::test_what_a_flow_writes_is_looked_at_as_well",
    ),
    Guard(
        "no replica that lags becomes a broker's leader: acknowledged records would be lost",
        "infra/kafka/checks.py",
        'off = ("auto.create.topics.enable", UNCLEAN)',
        'off = ("auto.create.topics.enable",)',
        f"{UNIT}/test_checks.py::test_a_broker_that_forgets_or_refuses_is_named",
    ),
    Guard(
        "no replica that lags becomes a topic's leader",
        "infra/kafka/checks.py",
        'FIXED = {"cleanup.policy": "delete", UNCLEAN: "false"}',
        'FIXED = {"cleanup.policy": "delete"}',
        f"{UNIT}/test_checks.py::test_a_topic_that_loses_records_is_named",
    ),
    Guard(
        "a projector's look at its topics has a bound",
        "infra/kafka/follow.py",
        'answered(partial(_assign, reader, topics), START_SECONDS, "a projector\'s topics")',
        "_assign(reader, topics)",
        f"{BOUNDS}[_project-partitions_for_topic]",
    ),
    Guard(
        "a projector's look at beginnings and ends has a bound",
        "infra/kafka/follow.py",
        'answered(seek, START_SECONDS, "where a projector\'s topics begin and end")',
        "seek()",
        f"{BOUNDS}[_project-end_offsets]",
    ),
    Guard(
        "a projector's poll and positions have a bound",
        "infra/kafka/follow.py",
        'answered(poll, ANSWER_SECONDS, "a projector\'s poll")',
        "poll()",
        f"{BOUNDS}[_project-position]",
    ),
    Guard(
        "who follows a topic from outside begins within a bound",
        "infra/kafka/tailing.py",
        'answered(start, START_SECONDS, f"where {topic} begins and ends")',
        "start()",
        f"{BOUNDS}[_tail-end_offsets]",
    ),
    Guard(
        "who follows a topic from outside polls within a bound",
        "infra/kafka/tailing.py",
        'answered(poll, ANSWER_SECONDS, f"reading {topic}")',
        "poll()",
        f"{BOUNDS}[_tail-poll]",
    ),
    Guard(
        "a proof's poll and position have a bound",
        "infra/kafka/scanning.py",
        'answered(poll, ASK_SECONDS, f"reading {spot.topic}-{spot.partition}")',
        "poll()",
        f"{BOUNDS}[_scan-position]",
    ),
    Guard(
        "what is asked with an admin client has a bound",
        "infra/kafka/clients.py",
        "return answered(run, seconds, what)",
        "return run()",
        f"{BOUNDS}[faults-describe_topics]",
    ),
    Guard(
        "a new group's offsets are asked for within a bound",
        "infra/kafka/topics.py",
        'answered(partial(_missing, reader, known), ASK_SECONDS, f"the offsets of {route.flow}")',
        "_missing(reader, known)",
        f"{BOUNDS}[ensure-committed]",
    ),
    Guard(
        "a new group's offsets are written within a bound",
        "infra/kafka/topics.py",
        'answered(partial(_begin, reader, fresh), ASK_SECONDS, f"the first offsets of {route.flow}")',
        "_begin(reader, fresh)",
        f"{BOUNDS}[ensure-commit]",
    ),
    Guard(
        "a sensor's look at the numbers of partitions has a bound",
        "sensors/membership.py",
        'answered(ask, ANSWER_SECONDS, f"partitions of {self.route.name}")',
        "ask()",
        f"{BOUNDS}[_keep-partitions_for_topic]",
    ),
    Guard(
        "a send gives up before its transaction does",
        "infra/kafka/clients.py",
        "return settings.delivery_timeout_ms * 3 // 4",
        "return 60_000",
        f"{UNIT}/test_transaction.py::test_a_send_waits_no_longer_than_a_delivery",
    ),
    Guard(
        "a pool keeps one spare producer of an id",
        "infra/kafka/pool.py",
        "        if spare is not warm:\n",
        "        if spare is None:\n",
        f"{POOL}::test_one_spare_is_kept_and_the_other_ended",
    ),
    Guard(
        "a reader that saw an error is never lent again",
        "infra/kafka/pool.py",
        "            close(reader)\n            raise\n",
        "            spare.append(reader)\n            raise\n",
        f"{POOL}::test_a_reader_that_saw_an_error_is_not_lent_again",
    ),
)
