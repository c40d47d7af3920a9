//! claw-health on the command line: what it is asked, how it writes, how it ends.

use claw_tests::health;

#[test]
fn m2_disk_and_memory_say_how_much_is_used() {
    let records = health(&["disk:/", "memory"]).records();
    let subjects: Vec<_> =
        records.iter().map(|record| record["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["disk:/", "memory"]);
    for record in &records {
        let used = record["data"]["used_percent"].as_f64().unwrap();
        assert!((0.0..=100.0).contains(&used), "{record}");
    }
}
