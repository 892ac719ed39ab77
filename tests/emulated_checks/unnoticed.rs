//! Mutations that no test can notice.

/// What cannot be noticed, and why. An entry that is noticed after all is named by the check, to be struck out.
pub const UNNOTICED: &[(&str, &str)] = &[
    (
        "advance.cu forced_bytes 1",
        "the shuffles that follow bring the lanes together; that they order no memory the emulator cannot tell",
    ),
    ("advance.cuh advance_slot 1", ENDS_FUNCTION),
    ("advance.cuh advance_slot 3", ENDS_FUNCTION),
    ("advance.cuh rollback_slot 2", ENDS_FUNCTION),
    ("legal.cu take_slot 1", "what it writes was last read before a barrier, whatever the block did before"),
    (
        "legal.cu long_part 1",
        "the walk has ended with a barrier; this one is for the fence before it, to which the emulator is blind",
    ),
    (
        "block.cuh block_add 2",
        "for calls one after the other; today's callers have a barrier of their own between",
    ),
    (
        "block.cuh block_max 2",
        "for calls one after the other; today's callers have a barrier of their own between",
    ),
    (
        "legal.cu legal 1",
        "who is late reads the old number of entries or none, and leaves the loop either way",
    ),
    (
        "plan.cuh find_runs 2",
        "the ballot that follows brings the lanes together; that it orders no memory the emulator cannot tell",
    ),
    ("plan.cuh plan_legal 3", "make_legal comes to a barrier before anything reads the base"),
    ("plan.cuh plan_legal 4", "make_legal comes to a barrier before anything reads the base or walks"),
    (
        "plan.cuh plan_legal 6",
        "make_legal comes to a barrier before anything reads the base, a part of a long walk to several",
    ),
    ("legal.cuh add_exits 1", "what it writes was last read by a walk, which ended with a barrier"),
    ("legal.cuh add_walk 1", "what it writes was last read by a walk, which ended with a barrier"),
    ("legal.cuh add_walk 2", "the walk before it has ended with a barrier"),
    ("legal.cuh add_loose 1", "the pool was last used by a walk, which ends with a barrier"),
    ("legal.cuh add_loose 4", "add_rest, which calls it, ends with a barrier"),
    (
        "legal.cuh add_rest 1",
        "what follows begins with a barrier: a walk, the next slot, or make_legal's own",
    ),
    ("legal.cuh make_legal 1", "a walk begins with a barrier, and write_base ends with one"),
    ("legal.cuh make_legal 2", "add_rest and walks end with a barrier"),
    ("legal.cuh make_legal 4", "write_base, which follows, ends with a barrier before anything is found"),
    ("walk.cuh walk 7", "a round ends with a barrier, and so does what comes before the first"),
    ("walk.cuh walk 8", "its callers come to a barrier before they read what was found"),
    ("list.cuh rank_list 1", "its callers come from a barrier"),
    ("list.cuh rank_list 2", "sort_orders, which follows, begins with a barrier"),
    (
        "list.cuh sum_tiles 1",
        "the sums were last read before a barrier, and the maxima are read behind the next one",
    ),
    ("list.cuh sample_list 1", "write_tops reads with each thread only what that thread wrote"),
    ("sweep.cuh collect 1", "its callers come from a barrier"),
    ("sweep.cuh collect 4", "`count` is written again behind another barrier"),
    ("sweep.cuh sum_kept 1", "its callers come from a barrier"),
    ("truncate.cuh sum_list 1", "its callers come from a barrier"),
    ("truncate.cuh kth_maximum 1", "its callers come from a barrier"),
    ("wide.cuh choose_greatest 1", "the result is of the first thread, which is of the warp that wrote it"),
];

const ENDS_FUNCTION: &str =
    "for callers whose other lanes read the slot next; today only the first lane does, which has written it";
