//! Figures from plain data: curves, maps and the report page.
//!
//! Nothing here knows of runs or stores. Every figure is an SVG text that
//! stands alone; `sodarace::render::png` turns it into pixels. Elements that a
//! dark page recolours carry the classes of `sodarace::render`: `paper`,
//! `ink`, `faint`, `grid`.

pub mod bugs;
pub mod corpus;
mod curves;
pub mod dataset;
mod diff;
mod map;
pub mod report;
mod scale;
pub mod stage1;
pub mod stage2;
pub mod stage3;
mod ticks;

pub use curves::{Labels, Series, curves};
pub use map::{Axis, Cell, map_slices};
pub use report::{Report, report};
