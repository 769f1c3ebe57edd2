"""The one exception that a user is meant to read."""

INTERRUPTED = 130  # the exit status of a program that Ctrl-C ended
TRY_AGAIN = 75  #    EX_TEMPFAIL of sysexits.h: stopped from outside, and the same command goes on


class UserError(ValueError):
    """A mistake in what the user gave. Its message is one sentence: what is wrong, and what would be right.

    The command line prints the sentence and exits with `exit_code`; anything else that is raised is a bug and keeps
    its traceback.
    """

    exit_code = 2


class AbsentError(UserError):
    """A measure that cannot be had here. Its message says why: a column to leave out, or with strict=true to refuse."""
