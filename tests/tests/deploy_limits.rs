//! The limits of the services, as a kernel of their own enforces them.

use std::thread;
use std::time::Duration;

use claw_tests::testbed::Host;

fn root(host: &Host, lines: &str) -> String {
    host.attempt("root", &["sh", "-c", lines]).stdout.trim().to_owned()
}

/// In user-mode-linux; where there can be none, the test says so and passes.
#[test]
fn s4_the_kernel_holds_both_services_to_their_limits() {
    let Some(host) = Host::boot("trixie", "limits", &["-v"]) else { return };
    host.copy_project();
    host.run("dev", &["sh", "/opt/testbed/gateway.sh"]);
    let install = "CLAW_GATEWAY_MEMORY_MAX=200M /opt/claw/scripts/deploy install --user dev";
    let installed = host.attempt("root", &["sh", "-c", install]);
    assert_eq!(installed.status, 0, "{}{}", installed.stdout, installed.stderr);

    let user = "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/openclaw-gateway.service";
    let system = "/sys/fs/cgroup/system.slice/openclaw-agent-monitor.service";
    for (folder, memory, cpu) in
        [(user, "209715200", "80000 100000"), (system, "536870912", "20000 100000")]
    {
        let limits = root(&host, &format!("cat {folder}/memory.max {folder}/cpu.max"));
        assert_eq!(limits, format!("{memory}\n{cpu}"), "{folder}");
    }

    // A gateway that takes more is killed, and started again after ten seconds.
    host.shell_of(
        "root",
        "cat >/home/dev/.openclaw/gateway.pl <<'PERL'
my $all = 'x' x 300e6;
sleep 1 while 1;
PERL",
    );
    let user_control = "setpriv --reuid dev --regid dev --init-groups env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user";
    root(&host, &format!("{user_control} restart openclaw-gateway"));
    let ended = (0..60).any(|_| {
        thread::sleep(Duration::from_secs(1));
        root(&host, &format!("{user_control} show -p Result --value openclaw-gateway"))
            == "oom-kill"
    });
    assert!(ended, "{}", root(&host, "journalctl -n 30 --no-pager"));
    let told = host.health("root", &["last-crash"]);
    assert_eq!(told[0]["data"]["cause"], "oom", "{told:?}");
}
