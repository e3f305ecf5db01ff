//! What people's machines do to the tiers: odd interpreters, odd environments, low limits, a system without a cage. Each ends in the right answer or in a sentence that says what is wrong, never in a hang.
#![cfg(target_os = "linux")]

mod common;

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::*;
use pyrun::{Failure, Runner, Tier, Value};

/// A program that only the second tier runs.
const SECOND: &str = "import random\ndef make_walker(): return [1, random.random() < 2]";

fn right() -> Result<Value, Failure> {
    Ok(Value::List(vec![Value::Int(1), Value::Bool(true)]))
}

fn with(python: &Path) -> Runner {
    let mut config = config(Tier::Auto);
    config.python = Some(python.to_owned());
    Runner::new(config).unwrap()
}

/// Written by another process: while this one has it open for writing, a neighbour's fork would make it busy.
fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    let write = "printf %s \"$1\" > \"$0\"; chmod 755 \"$0\"";
    let status = Command::new("sh")
        .args(["-c", write])
        .arg(&path)
        .arg(text)
        .status();
    assert!(status.unwrap().success());
    path
}

/// Where python3 really is, whatever script stands on the PATH.
fn python3() -> String {
    let output = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output();
    String::from_utf8(output.unwrap().stdout)
        .unwrap()
        .trim()
        .to_owned()
}

#[test]
fn what_is_no_python_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    symlink("/no/such/file", f.join("broken")).unwrap();
    std::fs::create_dir(f.join("folder")).unwrap();
    std::fs::write(f.join("plain"), "#!/bin/sh\nexit 0\n").unwrap();
    script(
        f,
        "other-machine",
        "\x7fELF\x02\x01\x01 of another kind of machine",
    );
    script(f, "no-interpreter", "#!/no/such/interpreter\n");
    script(f, "silent", "#!/bin/sh\nexit 0\n");
    script(
        f,
        "fails",
        "#!/bin/sh\necho 'pyenv: python3: command not found' >&2\nexit 127\n",
    );
    script(f, "babbles", "#!/bin/sh\necho Welcome to this machine\n");
    script(
        f,
        "floods",
        "#!/bin/sh\nwhile :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done\n",
    );
    for (name, told) in [
        ("missing", "there is no"),
        ("broken", "is a link to nothing"),
        ("folder", "is a folder"),
        ("plain", "is not executable"),
        ("other-machine", "is no program for this machine"),
        ("no-interpreter", "what its first line names"),
        ("silent", "ends at once"),
        ("fails", "pyenv: python3: command not found"),
        ("babbles", "Welcome to this machine"),
        ("floods", "is no Python"),
    ] {
        let failure = with(&f.join(name)).run(SECOND).unwrap_err();
        assert_eq!(failure.reason(), "no-python", "{name}: {failure}");
        assert!(failure.to_string().contains(told), "{name}: {failure}");
    }
}

/// One that hangs is said to hang, and is asked once, not for every program.
#[test]
fn a_python_that_hangs_is_said_to_hang() {
    let folder = tempfile::tempdir().unwrap();
    let asked = folder.path().join("asked");
    let text = format!("#!/bin/sh\necho x >> {}\nsleep 1000\n", asked.display());
    let mut runner = with(&script(folder.path(), "hangs", &text));
    for _ in 0..3 {
        let failure = runner.run(SECOND).unwrap_err();
        assert!(failure.to_string().contains("hangs"), "{failure}");
    }
    assert_eq!(std::fs::read_to_string(asked).unwrap(), "x\n");
}

/// A script before Python, and a site that prints, hangs at its end, or takes ctypes away, do no harm.
#[test]
fn a_python_that_prints_at_its_start_works() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let python = python3();
    std::fs::create_dir(f.join("site")).unwrap();
    let site = "import sys\nprint('hello', end='')\nsys.stdout.flush()\nprint('careful', file=sys.stderr)\n";
    std::fs::write(f.join("site/sitecustomize.py"), site).unwrap();
    std::fs::write(
        f.join("site/statistics.py"),
        "raise SystemExit('not the one')\n",
    )
    .unwrap();
    let wrapper = format!(
        "#!/bin/sh\necho Loading modules\necho pyrun: >&2\nexport PYTHONPATH={}\nexec {python} \"$@\"\n",
        f.join("site").display()
    );
    assert_eq!(with(&script(f, "wrapper", &wrapper)).run(SECOND), right());
}

/// numpy in the user's own folder counts as installed.
#[test]
fn modules_in_the_users_own_folder_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let python = python3();
    let site = "import site; print(site.getusersitepackages())";
    let user = Command::new(&python)
        .args(["-c", site])
        .env("HOME", f)
        .output()
        .unwrap();
    let user = PathBuf::from(String::from_utf8(user.stdout).unwrap().trim());
    assert!(user.starts_with(f), "{user:?}");
    std::fs::create_dir_all(user.join("numpy-9.8.7.dist-info")).unwrap();
    std::fs::write(
        user.join("numpy-9.8.7.dist-info/METADATA"),
        "Metadata-Version: 2.1\nName: numpy\nVersion: 9.8.7\n",
    )
    .unwrap();
    std::fs::create_dir(user.join("numpy")).unwrap();
    std::fs::write(
        user.join("numpy/__init__.py"),
        "def array(x): return ('real', x)\n",
    )
    .unwrap();
    let wrapper = format!("#!/bin/sh\nHOME={} exec {python} \"$@\"\n", f.display());
    let wrapper = script(f, "wrapper", &wrapper);
    let value =
        with(&wrapper).run("import random, numpy\ndef make_walker(): return numpy.array(3)");
    assert_eq!(
        value,
        Ok(Value::Tuple(vec![Value::Str("real".into()), Value::Int(3)]))
    );
    let versions = pyrun::versions(Some(&wrapper));
    assert!(
        versions.contains(&("numpy".into(), "9.8.7".into())),
        "{versions:?}"
    );
}

/// Runs a part of this file in a process of its own, which a shell prepares.
fn in_a_shell(prepare: &str, part: &str) -> (bool, String) {
    let exe = std::env::current_exe().unwrap();
    let output = Command::new("sh")
        .args(["-c", &format!("{prepare}; exec \"$@\""), "sh"])
        .arg(exe)
        .args(["--exact", "--ignored", "--nocapture", part])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
#[ignore = "a part of the tests below"]
fn part_both_tiers_answer() {
    let mut runner = runner(Tier::Auto);
    assert!(runner.run(&seed("square")).is_ok());
    assert_eq!(runner.run(SECOND), right());
}

#[test]
#[ignore = "a part of the tests below"]
fn part_what_is_said() {
    match Runner::new(config(Tier::Auto)) {
        Err(error) => println!("SAID {error}"),
        Ok(mut runner) => println!("SAID {:?}", runner.run(SECOND).map_err(|f| f.to_string())),
    }
}

#[test]
fn odd_environments_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path().display();
    for prepare in [
        "export PYTHONSTARTUP=/no/such.py PYTHONWARNINGS=error PYTHONUTF8=0 PYTHONHASHSEED=7 PYTHONVERBOSE= PYTHONOPTIMIZE=2".to_owned(),
        "export PYTHONPATH=/no/such:. PYTHONDONTWRITEBYTECODE=1 PYTHONSAFEPATH=1 PYTHONNOUSERSITE=1".into(),
        "export LC_ALL=C LANG=de_DE.ISO-8859-1".into(),
        "export LC_ALL=POSIX PYTHONCOERCECLOCALE=0 PYTHONIOENCODING=ascii".into(),
        "unset HOME; export TMPDIR=/no/such".into(),
        "export TMPDIR=/proc PYTHONINSPECT=1 PYTHONUNBUFFERED=1 PYTHONPROFILEIMPORTTIME=1".into(),
        format!("mkdir {f}/gone; cd {f}/gone; rmdir {f}/gone"),
        format!("cd {f}; echo 'raise SystemExit(9)' > ctypes.py; echo 'print(1)' > random.py; echo x > enum.py"),
        "trap '' ALRM XCPU PIPE CHLD HUP INT TERM".into(),
        "exec 7</etc/passwd 9</etc/passwd".into(),
    ] {
        let (fine, said) = in_a_shell(&prepare, "part_both_tiers_answer");
        assert!(fine, "{prepare}\n{said}");
    }
}

#[test]
fn low_limits_are_kept_and_told() {
    for prepare in [
        "ulimit -n 255",
        "ulimit -Sn 64",
        "ulimit -n 64",
        "ulimit -s 2048",
        "ulimit -v 3000000",
        "ulimit -t 100",
        "ulimit -f 0",
        "ulimit -c 0; ulimit -d unlimited",
    ] {
        let (fine, said) = in_a_shell(prepare, "part_both_tiers_answer");
        assert!(fine, "{prepare}\n{said}");
    }
    for (prepare, flag) in [
        ("ulimit -v 150000", "ulimit -v"),
        ("ulimit -n 14", "ulimit -n"),
    ] {
        let (_, said) = in_a_shell(prepare, "part_what_is_said");
        let line = said
            .lines()
            .find(|l| l.contains("SAID"))
            .unwrap_or_else(|| panic!("{prepare}\n{said}"));
        assert!(
            line.contains("Ok(") || line.contains(flag),
            "{prepare}: {line}"
        );
        assert!(!line.contains("install CPython"), "{prepare}: {line}");
    }
}

/// A system without seccomp, made by a filter that says so: nothing runs, unless told to.
#[test]
fn without_seccomp_nothing_runs_unless_told() {
    let exe = std::env::current_exe().unwrap();
    let run = |part: &str, calls: &'static [i64]| {
        let mut command = Command::new(&exe);
        command.args(["--exact", "--ignored", "--nocapture", part]);
        // SAFETY: between fork and exec only system calls and what they need of memory; one thread.
        unsafe { command.pre_exec(|| no_seccomp(calls).map_err(std::io::Error::other)) };
        let output = command.output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let both = &[libc::SYS_seccomp, libc::SYS_prctl];
    for calls in [both, &both[..1], &both[1..]] {
        let (_, said) = run("part_what_is_said", calls);
        assert!(
            said.contains("SAID this system has no seccomp filters"),
            "{calls:?} {said}"
        );
        assert!(said.contains("--no-cage"), "{said}");
        let (fine, said) = run("part_no_cage", calls);
        assert!(fine, "{calls:?} {said}");
    }
}

#[test]
#[ignore = "a part of the test above"]
fn part_no_cage() {
    let mut config = config(Tier::Auto);
    config.cage = false;
    let mut runner = Runner::new(config).unwrap();
    assert!(runner.run(&seed("square")).is_ok());
    assert_eq!(runner.run(SECOND), right());
    // what there is of a cage is closed all the same
    let loops = "import random\ndef make_walker():\n  while True: pass";
    assert_eq!(runner.run(loops), Err(Failure::Time));
    assert_eq!(runner.run(SECOND), right());
}

/// Takes seccomp away: one of its two calls or both.
fn no_seccomp(calls: &[i64]) -> Result<(), seccompiler::Error> {
    use seccompiler::{
        SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    };
    let mode = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, 22)?;
    let rule = SeccompRule::new(vec![mode])?;
    let rules = calls.iter().map(|call| {
        let any = *call == libc::SYS_seccomp;
        (*call, if any { vec![] } else { vec![rule.clone()] })
    });
    let (refuse, arch) = (
        SeccompAction::Errno(libc::EINVAL as u32),
        std::env::consts::ARCH.try_into()?,
    );
    let filter = SeccompFilter::new(rules.collect(), SeccompAction::Allow, refuse, arch)?;
    let program: seccompiler::BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&program)
}
