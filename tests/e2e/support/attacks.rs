//! What a hostile step does, as scripts of bash for the fake dbt: `$1` is its target directory.
//!
//! Owns the attacks alone; the tests, of the program and of the image, say what must come of them.

/// Finds the runner among the ancestors of the step.
pub const RUNNER: &str = "runner=$$; until [ \"$(cat /proc/$runner/comm)\" = dbt-entrypoint ]; do \
     runner=$(sed 's/.*) //' /proc/$runner/stat | cut -d' ' -f2); done; cd \"$FAKE_DBT_DIR\"; ";

/// Notes in `reached` what it can read or write of the process `$runner`.
pub const REACH: &str = "\
    cat /proc/$runner/environ > environ 2>/dev/null && echo environ >> reached; \
    head -c 1 /proc/$runner/mem > /dev/null 2>mem; grep -q denied mem || echo mem >> reached; \
    cat /proc/$runner/maps > /dev/null 2>&1 && echo maps >> reached; \
    ls /proc/$runner/fd > /dev/null 2>&1 && echo fd >> reached; \
    (echo '{\"status\":\"success\",\"forged\":true}' > /proc/$runner/fd/1) 2>/dev/null \
        && echo stdout >> reached; \
    (echo \"$DBT_REDSHIFT_PASSWORD\" > /proc/$runner/fd/2) 2>/dev/null && echo stderr >> reached; \
    cat /proc/self/environ > own || echo own >> reached; ";

/// What `COUNT_MARKED` counts in `alive`.
pub const MARK: &str = "export FAKE_MARK=$FAKE_DBT_DIR; ";
pub const COUNT_MARKED: &str = "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | \
    grep -c \"^FAKE_MARK=$FAKE_DBT_DIR$\" > \"$FAKE_DBT_DIR/alive\"; true";

/// Says in which file the number of the survivor is.
pub const NOTE: &str = "echo $! > \"$FAKE_DBT_DIR/left\"; ";

/// Each in its own way out of the step's hands.
pub fn survivors() -> [(&'static str, String); 4] {
    [
        ("in the group", format!("sleep 60 & {NOTE}")),
        (
            "in a session of its own",
            format!("setsid sleep 60 >/dev/null 2>&1 & {NOTE}"),
        ),
        (
            "a double fork that ignores signals",
            "(trap '' INT TERM HUP; \
             setsid bash -c 'echo $$ > \"$FAKE_DBT_DIR/left\"; exec sleep 60' &) ; \
             until [ -s \"$FAKE_DBT_DIR/left\" ]; do sleep 0.01; done"
                .to_owned(),
        ),
        (
            "never the same process for long",
            "python3 - <<'E' >/dev/null 2>&1\n\
             import os, time\n\
             if os.fork() == 0:\n\
             \x20   end = time.time() + 60\n\
             \x20   open(os.environ['FAKE_DBT_DIR'] + '/left', 'w').write('0')\n\
             \x20   while time.time() < end:\n\
             \x20       if os.fork(): os._exit(0)\n\
             \x20       os.setsid()\n\
             E\n"
            .to_owned(),
        ),
    ]
}

/// A daemon that goes on to put the password into a file and to take it out.
pub const SWAP_FILES: &str = "echo '{}' > \"$1/manifest.json\"; \
         setsid bash -c 'while :; do \
           printf %s \"$DBT_REDSHIFT_PASSWORD\" > \"$1/.x\"; mv \"$1/.x\" \"$1/a.json\"; \
           echo {} > \"$1/.y\"; mv \"$1/.y\" \"$1/a.json\"; done' bash \"$1\" >/dev/null 2>&1 & \
         until [ -e \"$1/a.json\" ]; do sleep 0.01; done";

/// What is no file, by the names of files that are read or published.
pub const NO_FILES: &str = "cd \"$1\"; echo '{}' > manifest.json; \
         mkfifo index.html run_results.json \
         sources.json catalog.json partial_parse.msgpack a.json; \
         ln -s /proc/self/environ environ.json; ln -s / root; \
         python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"s.json\")'";

/// Starts processes until there is no slot for one more, and ends with 3.
pub const TAKE_SLOTS: &str = "exec python3 - <<'E'\n\
        import os, time\n\
        try:\n\
        \x20   while True:\n\
        \x20       if os.fork() == 0:\n\
        \x20           os.setsid(); os.closerange(0, 9); time.sleep(60); os._exit(0)\n\
        except BlockingIOError: os._exit(3)\n\
        E\n";

/// One that has left the step's hands, and from then on multiplies as fast as it can: all in one
/// group, or each in a session of its own. It needs a limit on processes, and ends by itself.
pub fn multiply(in_sessions: bool) -> String {
    let after_fork = if in_sessions { "os.setsid()" } else { "pass" };
    format!(
        "exec python3 - <<'E'\n\
         import os, signal, time\n\
         if os.fork() == 0:\n\
         \x20   os.setsid(); os.closerange(0, 9); signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n\
         \x20   end = time.time() + 20\n\
         \x20   while time.time() < end:\n\
         \x20       try:\n\
         \x20           if os.fork() == 0: {after_fork}\n\
         \x20       except OSError: pass\n\
         time.sleep(0.2)\n\
         E\n"
    )
}
