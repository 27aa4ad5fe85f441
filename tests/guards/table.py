"""The guards of the system, and for each of them the test that fails when it is taken out.

A guard is a line of source without which everything seems to work, until something dies at a bad moment.
"""

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNIT, REAL, MUTANTS = "tests/unit", "tests/integration", "tests/faults/test_mutants.py"
SLICES, SENSORS, JOIN = f"{REAL}/test_slices.py", f"{REAL}/test_sensors.py", f"{REAL}/test_join.py"
PLANNER = f"{REAL}/test_planner.py"

TOTAL = "test_whatever_the_contract_allows_has_an_error_or_is_refused_by_itself"
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
        "        if end < start:",
        "        if end < 0:",
        f"{JOIN}::test_a_memory_that_lags_behind_is_noticed",
    ),
    Guard(
        "a dead letter counts in the join once it is resolved",
        "infra/database/join_memory.py",
        """return f'{table}."offset" <> ALL(%(refused_{topic})s::bigint[])'""",
        'return f"(%(refused_{topic})s::bigint[] IS NOT NULL)"',
        f"{JOIN}::test_a_letter_counts_from_its_resolution_on",
    ),
    Guard(
        "what no error can be computed of is refused at its own place",
        "tasks/join_slice.py",
        "if why := misfit(received.payload):",
        "if why := str():",
        f"{JOIN}::test_a_price_that_is_none_is_refused_at_its_own_place",
    ),
    Guard(
        "a side of which no error can be computed makes no pair, whoever remembers it",
        "tasks/core/joining.py",
        "and _fit(prediction, actual)",
        "and _fit is not None",
        f"{UNIT}/test_joining.py::{TOTAL}",
    ),
    Guard(
        "a percentage that is no number is none",
        "tasks/core/joining.py",
        "return round(percent, DIGITS) if abs(percent) <= LARGEST_PERCENT else None",
        "return round(percent, DIGITS) if actual else None",
        f"{UNIT}/test_joining.py::test_an_actual_of_next_to_nothing_has_no_percentage",
    ),
    Guard(
        "a record is noted as given up before its letter is committed",
        "sensors/isolate.py",
        "            refused.intend(database, route.flow, work.refused, _letters_end(pool, route.flow))\n",
        "",
        f"{JOIN}::test_what_its_attempts_left_of_a_dead_letter_does_not_count[dead after the commit]",
    ),
    Guard(
        "of a record that went through after all the intention to give it up is forgotten",
        "tasks/refusals.py",
        "[one for one in doubted if one.letter_id in there]",
        "doubted",
        f"{JOIN}::test_a_record_that_went_through_after_all_counts",
    ),
    Guard(
        "a letter that is being tried again does not count until it is resolved",
        "tasks/redriving.py",
        "refused.confirm(loop.database, route.flow, {letter.place: letter.id for letter in letters})",
        "pass",
        f"{JOIN}::test_a_redrive_that_fails_leaves_nothing_that_counts",
    ),
    Guard(
        "a memory that is filled again knows what was given up",
        "tasks/joins.py",
        "    refused.confirm(loop.database, FLOW, letters)\n",
        "",
        f"{JOIN}::test_what_its_attempts_left_of_a_dead_letter_does_not_count[memory lost]",
    ),
    Guard(
        "what was given up unseen is not missed by the join's memory",
        "infra/database/join_memory.py",
        "end = next(offset for offset in count(found[topic]) if offset not in given_up)",
        "end = next(offset for offset in count(found[topic]) if given_up is not None)",
        f"{JOIN}::test_what_was_given_up_does_not_count",
    ),
    Guard(
        "a repeat of an event that was given up counts",
        "infra/database/join_memory.py",
        "if refused and cursor",
        "if not ids and cursor",
        f"{JOIN}::test_what_was_given_up_does_not_count",
    ),
    Guard(
        "no session appears by what was given up",
        "infra/database/join_expiry.py",
        "        AND first_offset <> ALL(%(unseen)s::bigint[])\n",
        "        AND %(unseen)s::bigint[] IS NOT NULL\n",
        f"{JOIN}::test_what_was_given_up_does_not_count",
    ),
    Guard(
        "an error that was given up is not held against its model",
        "tasks/monitoring.py",
        "if row[:3] not in refused]",
        "if row]",
        f"{REAL}/test_deliveries.py::test_errors_that_were_given_up_are_not_held_against_the_model",
    ),
    Guard(
        "a memory that claims more than it holds is not believed when it is filled again",
        "tasks/joins.py",
        "            join_memory.forget_reach(connection, number)",
        "            pass",
        f"{JOIN}::test_a_memory_that_claims_more_than_it_holds_is_filled_again",
    ),
    Guard(
        "older sides of a session are probed, however long history is",
        "infra/database/join_memory.py",
        'AND i.date = k.day\n            AND i."offset" < %(before)s AND {counts} OFFSET 0',
        'AND i.date = k.day\n            AND i."offset" < %(before)s AND {counts}',
        f"{PLANNER}::test_a_slice_looks_up_what_it_asks_for",
    ),
    Guard(
        "older sides over a holiday are probed, however long history is",
        "infra/database/join_memory.py",
        'AND i.{link}\n            AND i."offset" < %(before)s AND {counts} OFFSET 0',
        'AND i.{link}\n            AND i."offset" < %(before)s AND {counts}',
        f"{PLANNER}::test_a_slice_looks_up_what_it_asks_for",
    ),
    Guard(
        "repeats are probed, however long history is",
        "infra/database/join_memory.py",
        'AND i."offset" <> k."offset" OFFSET 0',
        'AND i."offset" <> k."offset"',
        f"{PLANNER}::test_repeats_are_looked_up_by_their_ids",
    ),
    Guard(
        "what may have met them is probed by session",
        "infra/database/join_expiry.py",
        """a.date = p.date AND a.symbol = p.symbol
            AND a."offset" <= e.point AND {counting("a", "actuals")} OFFSET 0""",
        """a.date = p.date AND a.symbol = p.symbol
            AND a."offset" <= e.point AND {counting("a", "actuals")}""",
        f"{PLANNER}::test_what_expires_is_looked_up_by_its_session",
    ),
    Guard(
        "what may have met them over a holiday is probed",
        "infra/database/join_expiry.py",
        """AND a.date > p.date AND a."offset" <= e.point AND {counting("a", "actuals")} OFFSET 0""",
        """AND a.date > p.date AND a."offset" <= e.point AND {counting("a", "actuals")}""",
        f"{PLANNER}::test_what_expires_is_looked_up_by_its_session",
    ),
    Guard(
        "both sides of a pair land on one copy",
        "sensors/membership.py",
        "from kafka.coordinator.assignors.range import RangePartitionAssignor",
        "from kafka.coordinator.assignors.roundrobin import"
        " RoundRobinPartitionAssignor as RangePartitionAssignor",
        f"{SENSORS}::test_both_sides_of_every_pair_land_on_one_copy",
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
