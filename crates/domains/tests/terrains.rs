//! Terrain files: TOML and JSON say the same, or are refused alike.

use domains::walkers::terrain;
use serde_json::{Value, json};

/// A corner, a line, a start, and a whole terrain in all shapes: right ones and wrong ones.
fn shapes() -> Vec<Value> {
    let corners = [
        json!([0, 0]),
        json!([0.5, 0]),
        json!([0, 0, 0]),
        json!([0]),
        json!([]),
        json!(["0", 0]),
        json!([true, 0]),
        json!([[0], 0]),
        json!([1e300, 0]),
        json!(0),
        json!("0, 0"),
        json!({"x": 0, "y": 0}),
        json!({"0": 0, "1": 0}),
    ];
    let starts = [
        json!("on-ground"),
        json!({"above": 3}),
        json!({"above": 2.5}),
        json!({"above": "3"}),
        json!({"above": [3]}),
        json!({"above": {"above": 3}}),
        json!({"above": 3, "below": 3}),
        json!({"below": 3}),
        json!({}),
        json!({"on-ground": {}}),
        json!({"on-ground": 1}),
        json!("above"),
        json!("OnGround"),
        json!(["above", 3]),
        json!(3),
    ];
    let lines = [json!([[0, 0], [9, 0]]), json!([[0, 50], [9, 50]])];
    let whole = |ground: &Value| json!({"name": "t", "ground": ground});
    let mut shapes = vec![
        whole(&lines[0]),
        json!({"name": "t"}),
        json!({"ground": lines[0]}),
        json!({"name": 3, "ground": lines[0]}),
        json!({"name": "", "ground": lines[0]}),
        json!({"name": "t", "ground": lines[0], "roof": []}),
        json!({"name": "t", "ground": "flat"}),
        json!({"name": "t", "ground": {}}),
        json!({"name": "t", "ground": []}),
        json!({"name": "t", "ground": [lines[0]]}),
        json!({"name": "t", "ground": lines[0], "ceiling": lines[1]}),
        json!({"name": "t", "ground": lines[0], "ceiling": {}}),
        json!({"name": "t", "ground": lines[0], "ceiling": []}),
        json!({}),
    ];
    for corner in &corners {
        shapes.push(whole(&json!([corner, [9, 0]])));
        shapes.push(whole(&json!([[-9, 0], corner])));
        shapes.push(json!({"name": "t", "ground": lines[0], "ceiling": [[-5, 50], corner]}));
    }
    for start in &starts {
        shapes.push(json!({"name": "t", "ground": lines[0], "start": start}));
    }
    shapes
}

#[test]
fn toml_and_json_are_read_alike() {
    let folder = tempfile::tempdir().unwrap();
    let read = |ending: &str, text: &str| {
        let path = folder.path().join(format!("t.{ending}"));
        std::fs::write(&path, text).unwrap();
        terrain(path.to_str().unwrap()).map_err(|e| e.to_string())
    };
    let (mut right, mut wrong, mut differ) = (0, 0, Vec::new());
    for shape in shapes() {
        let in_toml = toml::to_string(&shape).unwrap();
        for mark in ["", "\u{feff}"] {
            let json = read("json", &format!("{mark}{shape}"));
            let toml = read("toml", &format!("{mark}{in_toml}"));
            match (json, toml) {
                (Ok(json), Ok(toml)) => {
                    assert_eq!(json, toml, "{shape}");
                    right += 1;
                }
                (Err(json), Err(toml)) => {
                    for error in [json, toml] {
                        assert!(error.contains("docs/terrains.md"), "{error}");
                    }
                    wrong += 1;
                }
                (json, toml) => differ.push(format!("{shape}: JSON {json:?}, TOML {toml:?}")),
            }
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
    assert!(right > 10 && wrong > 80, "{right} right, {wrong} wrong");
    let three = "name = \"t\"\nground = [[0, 0, 0], [9, 0]]\n";
    let error = read("toml", three).unwrap_err();
    assert!(error.contains("3 numbers; give two"), "{error}");
    // A list in the place of the whole is no terrain.
    assert!(read("json", r#"["t", [[0, 0], [9, 0]], [], "on-ground"]"#).is_err());
}
