//! One suite that every backend has to pass, what only SQLite has to, and both against a model.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod actions;
mod crash;
mod fixture;
mod history;
mod items;
mod memberships;
mod model;
mod objects;
mod records;
mod sqlite;
mod suite;
mod twins;
mod vault;

/// Makes a test of each function of the suite for each backend.
macro_rules! on_every_backend {
    ($($part:ident::{$($name:ident),* $(,)?}),* $(,)?) => {
        mod on_memory {
            $($(#[test] fn $name() { crate::$part::$name(&crate::fixture::Fixture::memory()); })*)*
        }
        mod on_sqlite {
            $($(#[test] fn $name() { crate::$part::$name(&crate::fixture::Fixture::sqlite()); })*)*
        }
    };
}

on_every_backend!(
    suite::{
        every_kind_of_publication_is_restored,
        ranges_give_what_they_say_oldest_first,
        extreme_positions_and_limits_are_no_trouble,
        pages_are_bounded_in_bytes,
        channels_and_orgs_are_apart,
        a_key_that_was_seen_is_a_duplicate,
        keys_are_forgotten_in_time,
        a_taken_position_fails_alone,
        an_impossible_position_fails_alone,
        what_has_expired_is_not_shown_and_then_removed,
        one_that_expires_amid_others_makes_no_gap,
        histories_are_trimmed_to_their_size,
        a_history_of_none_keeps_nothing,
        large_histories_are_trimmed_in_steps,
        empty_channels_are_forgotten_in_time,
        completions_come_in_order_while_others_read,
        a_full_queue_refuses_at_once,
        a_full_queue_in_bytes_refuses_at_once,
        a_panicking_completion_harms_nobody,
        flush_waits_for_what_is_before_it,
        floors_rise_with_publications_and_leases,
        closing_commits_what_is_queued,
        a_completion_may_close_the_store,
        counters_add_up,
    },
    records::{
        records_are_read_replaced_and_removed,
        records_are_seen_while_the_writer_is_busy,
        records_expire_and_are_swept,
        the_records_that_expire_first_give_way,
        records_beyond_the_queue_are_not_kept,
        many_records_go_in_groups,
    },
    vault::{
        credentials_are_kept_replaced_and_removed,
        changes_of_credentials_are_made_in_order,
        credentials_beyond_the_queue_or_their_size_are_refused,
        a_secret_is_made_once,
        closing_makes_the_changes_that_are_queued,
    },
    history::{
        a_range_is_filled_from_the_end_that_is_asked_for,
        publications_are_deleted_and_counted,
        counting_leaves_out_what_has_expired_and_ends_somewhere,
        what_is_kept_is_trimmed_right_after_deleting,
        a_change_comes_after_what_was_queued_before_it,
        many_are_deleted_in_steps,
        changes_beyond_the_queue_are_refused,
    },
    actions::{
        actions_are_added_read_and_removed,
        actions_are_read_by_messages_and_by_their_own_positions,
        actions_go_with_their_message,
        actions_without_a_message_go_in_time,
        actions_are_bounded,
    },
    objects::{
        objects_are_set_read_and_removed,
        an_object_is_changed_only_if_it_is_the_one_that_was_meant,
        objects_are_bounded,
        objects_are_filtered,
        objects_are_sorted_and_paged,
    },
    memberships::{
        memberships_are_set_listed_and_removed,
        memberships_come_with_the_object_on_the_other_side,
        memberships_are_filtered_sorted_and_paged,
        memberships_are_bounded,
    },
    items::{
        items_are_kept_replaced_and_removed,
        items_are_read_in_order_by_prefix_and_page,
        items_expire_and_are_swept,
        items_are_bounded,
    },
);
