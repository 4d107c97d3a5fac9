"""Where Gennaker dies in a rollout, in tests: each once in the same deploy, by strategy."""

_MADE = ("effect.after:RunTask:createServerGroup.createServerGroup", "commit.before:TaskReported#3")
_SWITCHED = ("effect.before:RunTask:shiftTraffic.shiftTraffic", "effect.after:RunTask:shiftTraffic.shiftTraffic")
KILLED = {
    **dict.fromkeys(
        ("redblack", "highlander"), (*_MADE, *_SWITCHED, "effect.after:RunTask:shiftTraffic.drainReplaced")
    ),
    "none": (*_MADE, "effect.before:RunTask:shiftTraffic.joinTraffic", "effect.after:RunTask:shiftTraffic.joinTraffic"),
    **dict.fromkeys(
        ("rollingredblack", "monitored", "rollingpush"),
        (
            *_MADE,
            *_SWITCHED,
            "effect.after:RunTask:resizeServerGroup.withdrawInstances",
            "effect.after:RunTask:resizeServerGroup.resizeServerGroup",
            "effect.after:RunTask:resizeServerGroup.waitForCapacityMatch",
        ),
    ),
}
