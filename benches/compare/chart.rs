//! The ratios as a chart: how many times as much the peers cost.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::peer::Peer;
use crate::report::Report;

const COLOURS: [(Peer, RGBColor); 7] = [
    (Peer::Go, RGBColor(0, 125, 156)),
    (Peer::Tokio, RGBColor(211, 84, 0)),
    (Peer::AsyncExecutor, RGBColor(120, 120, 120)),
    (Peer::Flume, RGBColor(155, 89, 182)),
    (Peer::Kanal, RGBColor(39, 174, 96)),
    (Peer::AsyncChannel, RGBColor(200, 170, 60)),
    (Peer::Crossfire, RGBColor(192, 57, 43)),
];

/// A bar that is longer than this is cut off, and says so.
const LONGEST: f64 = 10.0;

pub(crate) fn draw(report: &Report, path: &Path) -> Result<(), Box<dyn Error>> {
    const BAR: i32 = 12;
    const LEFT: i32 = 180;
    const TOP: i32 = 60;
    const UNIT: f64 = 60.0;
    let measured = report.peers();
    let colours: Vec<_> = COLOURS.into_iter().filter(|(peer, _)| measured.contains(peer)).collect();
    let row_height = colours.len() as i32 * BAR + 14;
    let height = TOP + row_height * report.rows.len() as i32 + 30;
    let legend = LEFT + 140 * colours.len() as i32;
    let width = legend.max(LEFT + (UNIT * LONGEST) as i32 + 90);
    let area = SVGBackend::new(path, (width as u32, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let text = |size: i32| ("sans-serif", size).into_font();
    let title = "Time (or memory) of others, gorun = 1; longer is worse for them";
    area.draw(&Text::new(title, (10, 10), text(16)))?;
    for (index, (peer, colour)) in colours.iter().copied().enumerate() {
        let x = LEFT + 140 * index as i32;
        area.draw(&Rectangle::new([(x, 36), (x + 12, 48)], colour.filled()))?;
        area.draw(&Text::new(peer.name(), (x + 18, 36), text(14)))?;
    }
    for (index, row) in report.rows.iter().enumerate() {
        let top = TOP + row_height * index as i32;
        area.draw(&Text::new(row.workload.name, (10, top + BAR), text(14)))?;
        for (place, (peer, colour)) in colours.iter().copied().enumerate() {
            let Some(ratio) = row.ratio_to(peer) else { continue };
            let y = top + BAR * place as i32;
            let end = LEFT + (ratio.min(LONGEST) * UNIT) as i32;
            area.draw(&Rectangle::new([(LEFT, y), (end, y + BAR - 2)], colour.filled()))?;
            area.draw(&Text::new(format!("{ratio:.2}"), (end + 4, y - 1), text(11)))?;
        }
    }
    let one = LEFT + UNIT as i32;
    area.draw(&PathElement::new([(one, TOP - 4), (one, height - 30)], BLACK.stroke_width(1)))?;
    area.present()?;
    Ok(())
}
