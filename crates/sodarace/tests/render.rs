//! Pictures are well-formed, of the right size, and survive odd input.

use std::io::Cursor;

use sodarace::render::{self, RenderError};
use sodarace::{Drive, Muscle, Terrain, Trajectory, Walker, trajectory};

fn muscle(a: u16, b: u16, drive: Drive) -> Muscle {
    Muscle { a, b, drive }
}

fn triangle(size: f64) -> Walker {
    let active = |phase| Drive::Active {
        amplitude: 0.8,
        phase,
    };
    Walker {
        joints: vec![[0.0, 0.0], [size, 0.0], [size / 2.0, size]],
        muscles: vec![
            muscle(0, 1, Drive::Rigid),
            muscle(1, 2, active(0.0)),
            muscle(2, 0, active(0.5)),
        ],
    }
}

fn terrain(name: &str) -> Terrain {
    Terrain::by_name(name).unwrap()
}

/// The triangle's frames, shifted by what `shift` says of the frame's number.
fn moved(walker: &Walker, frames: u32, shift: impl Fn(u32) -> f32) -> Trajectory {
    let frame = |i| {
        let at = |j: &[f64; 2]| [j[0] as f32 * 6.8 + shift(i), j[1] as f32 * 6.8 + 2.0];
        walker.joints.iter().map(at).collect()
    };
    Trajectory {
        every: 3,
        frames: (0..frames).map(frame).collect(),
    }
}

/// Size of a PNG, from its header.
fn png_size(png: &[u8]) -> (u32, u32) {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn every_terrain_gives_well_formed_pictures() {
    let walker = triangle(5.0);
    for name in Terrain::names() {
        let terrain = terrain(name);
        let walk = trajectory(&walker, &terrain, 120, 3).unwrap();
        for svg in [
            render::svg_still(&walker, &terrain).unwrap(),
            render::svg_animation(&walker, &terrain, &walk).unwrap(),
            render::svg_strip(&walker, &terrain, &walk, 4).unwrap(),
        ] {
            let xml = roxmltree::Document::parse(&svg).unwrap();
            let has = |class| {
                xml.descendants()
                    .any(|n| n.attribute("class") == Some(class))
            };
            for class in ["rigid", "active", "mass", "soil"] {
                assert!(has(class), "{name}: no {class}");
            }
            assert!(svg.contains(&format!(">{name}<")));
        }
    }
}

#[test]
fn phase_shows_as_colour_and_amplitude_as_width() {
    let strokes = |amplitude, phase| {
        let mut walker = triangle(5.0);
        walker.muscles[1].drive = Drive::Active { amplitude, phase };
        walker.muscles.truncate(2);
        let svg = render::svg_still(&walker, &terrain("flat")).unwrap();
        let xml = roxmltree::Document::parse(&svg).unwrap();
        let path = xml
            .descendants()
            .find(|n| n.attribute("class") == Some("active"))
            .unwrap();
        let width: f64 = path.attribute("stroke-width").unwrap().parse().unwrap();
        (path.attribute("stroke").unwrap().to_string(), width)
    };
    assert_ne!(strokes(1.0, 0.0).0, strokes(1.0, 0.5).0);
    assert_eq!(strokes(0.25, 0.3).0, strokes(1.0, 0.3).0);
    assert!(strokes(0.25, 0.3).1 < strokes(1.0, 0.3).1);
}

#[test]
fn an_animation_holds_every_frame_it_should() {
    let walker = triangle(5.0);
    // 61 frames of 3 steps are 3 seconds; every second one makes 10 a second.
    let walk = moved(&walker, 61, |i| i as f32);
    let svg = render::svg_animation(&walker, &terrain("flat"), &walk).unwrap();
    let xml = roxmltree::Document::parse(&svg).unwrap();
    let animate = xml
        .descendants()
        .filter(|n| n.has_tag_name(("http://www.w3.org/2000/svg", "animate")));
    let mut moving = 0;
    for a in animate.filter(|a| a.parent().unwrap().has_attribute("class")) {
        let frames: Vec<&str> = a.attribute("values").unwrap().split(';').collect();
        assert_eq!(a.attribute("dur"), Some("3s"));
        if frames.len() == 31 {
            // Viewers interpolate only between paths of the same commands.
            let commands = |d: &str| {
                d.matches(|c: char| c.is_ascii_alphabetic())
                    .collect::<String>()
            };
            assert!(frames.iter().all(|d| commands(d) == commands(frames[0])));
            moving += 1;
        }
    }
    assert_eq!(moving, 4, "one rigid, two active, one mass layer");
    assert!(svg.len() < 12_000, "{} bytes", svg.len());
}

#[test]
fn a_gif_has_the_walks_frames_time_and_size() {
    let walker = triangle(5.0);
    let walk = moved(&walker, 13, |i| 4.0 * i as f32);
    let bytes = render::gif(&walker, &terrain("flat"), &walk, 160).unwrap();
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let mut decoder = options.read_info(Cursor::new(&bytes)).unwrap();
    assert_eq!((decoder.width(), decoder.height()), (160, 90));
    let (mut frames, mut hundredths, mut still) = (0, 0, 0);
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        frames += 1;
        hundredths += u32::from(frame.delay);
        if frame.buffer.chunks(4).all(|p| p[3] == 0) {
            still += 1;
        }
    }
    assert_eq!((frames, still), (13, 0));
    assert_eq!(hundredths, 60 + 80);
    assert_eq!(
        bytes,
        render::gif(&walker, &terrain("flat"), &walk, 160).unwrap()
    );
}

#[test]
fn pngs_have_the_size_asked_for() {
    let (walker, flat) = (triangle(5.0), terrain("flat"));
    assert_eq!(
        png_size(&render::png_still(&walker, &flat, 320).unwrap()),
        (320, 180)
    );
    let walk = moved(&walker, 60, |i| 6.0 * i as f32);
    let strip = render::png_strip(&walker, &flat, &walk, 5, 400).unwrap();
    assert_eq!(png_size(&strip).0, 400);
}

#[test]
fn a_strip_is_one_ground_for_the_far_and_panels_for_the_near() {
    let (walker, flat) = (triangle(5.0), terrain("flat"));
    let grounds = |shift: f32| {
        let walk = moved(&walker, 60, |i| shift * i as f32);
        let svg = render::svg_strip(&walker, &flat, &walk, 5).unwrap();
        svg.matches("class='soil'").count()
    };
    assert_eq!(grounds(6.0), 1);
    assert_eq!(grounds(0.1), 5);
    assert_eq!(grounds(-6.0), 1);
}

#[test]
fn odd_walkers_and_walks_are_drawn() {
    let flat = terrain("flat");
    for size in [0.1, 100.0, 1e6] {
        let walker = triangle(size);
        render::png_still(&walker, &flat, 64).unwrap();
        let far = moved(
            &walker,
            30,
            |i| if i < 20 { i as f32 } else { 1e30 * i as f32 },
        );
        let svg = render::svg_animation(&walker, &flat, &far).unwrap();
        roxmltree::Document::parse(&svg).unwrap();
        assert!(svg.len() < 400_000, "{} bytes", svg.len());
        render::gif(&walker, &flat, &moved(&walker, 2, |i| 1e38 * i as f32), 64).unwrap();
        render::png_strip(&walker, &flat, &far, 24, 64).unwrap();
        render::png_strip(&walker, &flat, &moved(&walker, 1, |_| 0.0), 2, 64).unwrap();
    }
    let lone = Walker {
        joints: vec![[3.0, 3.0]],
        muscles: vec![],
    };
    render::png_still(&lone, &flat, 64).unwrap();
    let bare = Terrain {
        ground: vec![],
        ..flat
    };
    render::png_still(&lone, &bare, 64).unwrap();
}

#[test]
fn what_bursts_is_shown_until_then() {
    let (walker, flat) = (triangle(5.0), terrain("flat"));
    let walk = moved(&walker, 20, |i| if i == 7 { f32::NAN } else { 0.0 });
    let bytes = render::gif(&walker, &flat, &walk, 32).unwrap();
    let mut decoder = gif::DecodeOptions::new()
        .read_info(Cursor::new(&bytes))
        .unwrap();
    let mut frames = 0;
    while decoder.next_frame_info().unwrap().is_some() {
        frames += 1;
    }
    assert_eq!(frames, 7);
}

#[test]
fn bad_input_is_a_typed_error() {
    let (walker, flat) = (triangle(5.0), terrain("flat"));
    let still = |walker: &Walker| render::svg_still(walker, &flat).unwrap_err();
    assert!(matches!(still(&Walker::default()), RenderError::NoJoints));
    let mut broken = walker.clone();
    broken.joints[1][0] = f64::NAN;
    assert!(matches!(
        still(&broken),
        RenderError::NotFinite { joint: 1 }
    ));
    let mut broken = walker.clone();
    broken.muscles[2].b = 9;
    assert_eq!(
        still(&broken).to_string(),
        "muscle 2 names joint 9, but the walker has 3 joints"
    );

    let walk = |walk: &Trajectory| render::svg_animation(&walker, &flat, walk).unwrap_err();
    let good = moved(&walker, 3, |_| 0.0);
    let mut other = good.clone();
    other.frames[1].pop();
    assert!(matches!(
        walk(&other),
        RenderError::OtherWalker {
            frame: 1,
            found: 2,
            joints: 3
        }
    ));
    let none = Trajectory {
        every: 3,
        frames: vec![],
    };
    assert!(matches!(walk(&none), RenderError::NoFrames));
    let still_standing = Trajectory {
        every: 0,
        ..good.clone()
    };
    assert!(matches!(walk(&still_standing), RenderError::NoFrames));

    for width in [0, 15, 8193] {
        let error = render::png_still(&walker, &flat, width).unwrap_err();
        assert!(
            error.to_string().contains("from 16 to 8192 pixels"),
            "{error}"
        );
    }
    assert!(matches!(
        render::gif(&walker, &flat, &good, 1281),
        Err(RenderError::OutOfRange { .. })
    ));
    assert!(matches!(
        render::svg_strip(&walker, &flat, &good, 1),
        Err(RenderError::OutOfRange { .. })
    ));
}

#[test]
fn names_are_escaped() {
    let flat = Terrain {
        name: "</text><script>x</script> & ]]>".into(),
        ..terrain("flat")
    };
    let svg = render::svg_still(&triangle(5.0), &flat).unwrap();
    let xml = roxmltree::Document::parse(&svg).unwrap();
    assert!(
        xml.descendants()
            .any(|n| n.text() == Some(flat.name.as_str()))
    );
    assert!(!svg.contains("<script"));
}

#[test]
fn what_is_solid_of_a_terrain() {
    let of = |name: &str| render::solid(&terrain(name), 48).unwrap();
    let column = |picture: &[f32], at: usize| -> Vec<f32> {
        picture.iter().skip(at).step_by(96).copied().collect()
    };
    let flat = of("flat");
    assert_eq!(flat.len(), 48 * 96);
    // 5 world units a pixel: sky above y = 0, 40 units of ground below.
    for at in [0, 50, 95] {
        let column = column(&flat, at);
        assert!(column[..40].iter().all(|x| *x == 0.0), "{column:?}");
        assert!(column[40..].iter().all(|x| *x == 1.0), "{column:?}");
    }
    let (left, right) = (of("left-wall"), of("right-wall"));
    assert!(column(&left, 0).iter().all(|x| *x == 1.0));
    assert_eq!(column(&left, 50), column(&flat, 50));
    // Each other's mirror image.
    for (one, other) in left.chunks(96).zip(right.chunks(96)) {
        assert!(one.iter().eq(other.iter().rev()));
    }
    // A tunnel's height shows to a part of a pixel.
    let heights = ["tunnel:40", "tunnel:42", "tunnel:60"].map(|name| {
        let column = column(&of(name), 2);
        column.iter().take(40).sum::<f32>()
    });
    for (found, height) in heights.into_iter().zip([40.0, 42.0, 60.0]) {
        let wanted = (200.0 - height) / 5.0;
        assert!((found - wanted).abs() < 0.1, "{found} {wanted}");
    }
    assert!(
        column(&of("tunnel:40"), 48)[..40].iter().all(|x| *x == 0.0),
        "the pit"
    );
    assert!(of("bumpy") != flat);
    assert!(render::solid(&terrain("flat"), 0).is_err());
}
