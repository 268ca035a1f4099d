# SPDX-License-Identifier: MIT
"""Which tests are to find a fault: those that are about the file come first."""

import re

SHARED = ["resource_test", "lock_free_test", "interleaving_test",
          "synchronized_pool_resource_conformance", "lock_free_pool_resource_conformance",
          "shared_pool_stress_test"]
SINGLE = ["resource_test", "fixed_pool_resource_conformance", "growing_pool_resource_conformance"]
OBJECTS = ["object_test", "object_interleaving_test", "object_pool_conformance",
           "object_pool_stress_test"]
REPORTS = ["report_test", "picture_test"]
LIMITS = ["overflow_test", "slot_size_test", "alignment_test"]

# The first pattern that a file's path matches decides.
PLANS = [
    (r"slot_watch|slot_ledger|checked_|visible_memory", ["full: misuse_test", "full: detection"]),
    (r"/adaptor/", ["adaptor_test", "adaptor_conformance", "adaptor_stress_test"]),
    (r"/allocator/", ["allocator_test", *SHARED]),
    (r"/boost/", ["bridge_test"]),
    (r"fork_safe", ["fork_test", "fork_of_half_done_test", "detail_test"]),
    (r"thread_number|thread_exit", ["detail_test", "resource_test", "fork_test",
                                    "fork_of_half_done_test",
                                    "thread_local_pool_resource_conformance"]),
    (r"/report/", REPORTS),
    (r"latency", ["statistics_test", *REPORTS, "resource_test"]),
    (r"collector|statistics|relaxed", ["statistics_test", "resource_test", "object_test",
                                       *REPORTS, *SHARED]),
    (r"/upstream/|upstream/", ["upstream_test", "invariants_test"]),
    (r"/error|src/error", ["config_test", "adaptor_test", "object_test", *SINGLE, "exceptions_test",
                            "full: misuse_test", "full: detection"]),
    (r"config", ["config_test", *SINGLE, *LIMITS]),
    (r"/object/", ["invariants_test", *OBJECTS]),
    (r"index/atomic|storage/atomic|resource/atomic|lock_free|counted_depot",
     ["index_test", "invariants_test", *SHARED]),
    (r"/index/", ["index_test", "invariants_test", *SINGLE]),
    (r"thread_local", ["resource_test", "thread_local_pool_resource_conformance",
                       "shared_pool_stress_test"]),
    (r"shared_pool|synchronized|locked|serialized|depot|spare|per_thread|made_once|doubling",
     ["invariants_test", *SHARED, "thread_local_pool_resource_conformance", *OBJECTS]),
    (r"larger_blocks", ["invariants_test", *SINGLE, *SHARED]),
    (r"", ["storage_test", "invariants_test", *SINGLE,
           "thread_local_pool_resource_conformance", *LIMITS, *SHARED, *OBJECTS]),
]


# They look at the text, at what compilers make of it, or compile it for themselves; or need more address
# space than a mutant may have.
OTHER_SUITES = {"style", "cost", "debugger"}
OTHER_TESTS = {"guarantees", "mixed_levels", "prometheus_test", "address_space",
               "many_slots_test", "huge_slabs_test"}


def is_of_use(test, suites, level):
    """Whether a test of that build can find a mutant that others do not."""
    if test in OTHER_TESTS or OTHER_SUITES.intersection(suites):
        return False
    if level == "thread" and test == "detail_test":
        return True
    return level == "off" or {"full": "checks", "thread": "stress"}[level] in suites


def first_tests(mutant):
    """Returns the names of tests, with the name of their build before it if that is not `off`."""
    if mutant.kind == "order":
        return {"lock_free_test", "object_interleaving_test", "thread: shared_pool_stress_test",
                "thread: object_pool_stress_test"}
    return set(next(tests for pattern, tests in PLANS if re.search(pattern, mutant.file)))
