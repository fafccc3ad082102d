"""Runs what the console asks for, in the scope of ``__main__``; never returns."""


def _supervisor(scope):
    import host
    import sys

    for name in list(scope):
        if name != "__name__":
            del scope[name]
    sys.path[:] = ["", ".frozen", "/lib", "/rom"]
    import _micropython

    sys.modules["micropython"] = _micropython
    call = host.call
    outcome = "boot"
    while True:
        try:
            job = call("console", outcome)
            if not job:  # a soft interrupt ran while nothing was typed
                continue
            outcome = "done"
            if job[0] == "F":
                execfile(job[1:], scope)
            elif job[0] == "X":
                execfile("/<stdin>", scope)
            else:
                exec(compile(job[1:], "<stdin>", "single"), scope)
            call("console", "over")
        except BaseException as error:
            call("console", "over")
            if isinstance(error, SystemExit):
                call("console", "exit")
            call("console", "error")
            sys.print_exception(error)
            call("console", "error-end")
            outcome = "failed"
            del error
