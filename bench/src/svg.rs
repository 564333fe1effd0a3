//! Bar charts as SVG text: stacked parts, a whisker from the lowest to the highest sample, light and dark.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const NOTE_WIDTH: f64 = 150.0;
const TOP: f64 = 62.0;
const BAR: f64 = 18.0;
const ROW: f64 = 28.0;
const GROUP_HEAD: f64 = 30.0;

/// Colours of the parts, in order, for light and dark ground.
const COLOURS: [(&str, &str); 4] = [
    ("#c2410c", "#fb923c"),
    ("#64748b", "#94a3b8"),
    ("#cbd5e1", "#475569"),
    ("#0f766e", "#2dd4bf"),
];

/// A chart of horizontal bars on one scale.
#[derive(Debug, Clone)]
pub struct Chart {
    /// What is shown.
    pub title: String,
    /// Room for the bars' labels, of 760.
    pub label_width: f64,
    /// Names of the parts that each bar is stacked from, at most four.
    pub parts: Vec<String>,
    /// Bars that belong together.
    pub groups: Vec<Group>,
}

/// Bars under one heading.
#[derive(Debug, Clone)]
pub struct Group {
    /// The heading.
    pub title: String,
    /// The bars, from top to bottom.
    pub bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug, Clone)]
pub struct Bar {
    /// What it stands for.
    pub label: String,
    /// Lengths of its parts.
    pub parts: Vec<f64>,
    /// The lowest total seen.
    pub low: f64,
    /// The highest total seen.
    pub high: f64,
    /// Text at its end.
    pub note: String,
}

impl Chart {
    /// The chart as a file's text.
    pub fn to_svg(&self) -> String {
        let bars = self.groups.iter().flat_map(|group| &group.bars);
        let longest = bars
            .map(|bar| bar.high.max(bar.parts.iter().sum()))
            .fold(0.0, f64::max);
        let step = step(longest);
        let end = (longest / step).ceil().max(1.0) * step;
        let plot_width = WIDTH - self.label_width - NOTE_WIDTH;
        let x = |value: f64| self.label_width + value / end * plot_width;
        let bottom = self.groups.iter().fold(TOP, |y, group| {
            y + GROUP_HEAD + ROW * count(group.bars.len())
        });
        let height = bottom + 30.0;

        let mut svg = String::new();
        let mut line = |text: String| {
            svg.push_str(&text);
            svg.push('\n');
        };
        line(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">",
            escape(&self.title)
        ));
        line(self.style());
        line(format!(
            "<rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>"
        ));
        line(format!(
            "<text class=\"title\" x=\"16\" y=\"26\">{}</text>",
            escape(&self.title)
        ));
        for (index, part) in self.parts.iter().enumerate() {
            let left = 16.0 + 150.0 * count(index);
            line(format!(
                "<rect class=\"part{index}\" x=\"{left}\" y=\"38\" width=\"12\" height=\"12\" rx=\"2\"/>"
            ));
            line(format!(
                "<text x=\"{}\" y=\"48\">{}</text>",
                left + 18.0,
                escape(part)
            ));
        }
        let mut mark = 0.0;
        while mark <= end + step / 2.0 {
            let at = x(mark);
            line(format!(
                "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/>"
            ));
            line(format!(
                "<text class=\"axis\" x=\"{at:.1}\" y=\"{}\">{}</text>",
                bottom + 18.0,
                mark
            ));
            mark += step;
        }
        let mut y = TOP;
        for group in &self.groups {
            line(format!(
                "<text class=\"group\" x=\"16\" y=\"{}\">{}</text>",
                y + 20.0,
                escape(&group.title)
            ));
            y += GROUP_HEAD;
            for bar in &group.bars {
                line(bar.to_svg(y, &x));
                y += ROW;
            }
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn style(&self) -> String {
        let mut style = String::from(
            "<style>text{font:13px system-ui,sans-serif;fill:#1f2933}.title{font-weight:600;font-size:15px}\
             .group{font-weight:600}.axis{text-anchor:middle;fill:#64748b;font-size:11px}.label{text-anchor:end}\
             .ground{fill:#fff}.grid{stroke:#e2e8f0}.whisker{stroke:#1f2933;stroke-width:1.5;fill:none}",
        );
        let parts = COLOURS.iter().take(self.parts.len()).enumerate();
        for (index, (light, _)) in parts.clone() {
            write!(style, ".part{index}{{fill:{light}}}").expect("a String takes everything");
        }
        style.push_str(
            "@media (prefers-color-scheme:dark){text{fill:#e5e7eb}.axis{fill:#94a3b8}.ground{fill:#0f172a}\
             .grid{stroke:#1e293b}.whisker{stroke:#e5e7eb}",
        );
        for (index, (_, dark)) in parts {
            write!(style, ".part{index}{{fill:{dark}}}").expect("a String takes everything");
        }
        style + "}</style>"
    }
}

impl Bar {
    fn to_svg(&self, y: f64, x: &impl Fn(f64) -> f64) -> String {
        let (middle, text) = (y + BAR / 2.0, y + BAR / 2.0 + 4.5);
        let label = x(0.0) - 10.0;
        let mut svg = format!(
            "<text class=\"label\" x=\"{label}\" y=\"{text}\">{}</text>",
            escape(&self.label)
        );
        let mut start = 0.0;
        for (index, part) in self.parts.iter().enumerate() {
            let (left, right) = (x(start), x(start + part));
            let width = right - left;
            write!(svg, "<rect class=\"part{index}\" x=\"{left:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\"/>")
                .expect("a String takes everything");
            start += part;
        }
        let (low, high) = (x(self.low), x(self.high));
        let (above, below) = (middle - 4.0, middle + 4.0);
        let note_at = high.max(x(start)) + 8.0;
        write!(
            svg,
            "<path class=\"whisker\" d=\"M{low:.1} {above}V{below}M{low:.1} {middle}H{high:.1}M{high:.1} {above}V{below}\"/>\
             <text x=\"{note_at:.1}\" y=\"{text}\">{}</text>",
            escape(&self.note)
        )
        .expect("a String takes everything");
        svg
    }
}

/// A round distance between marks: 1, 2 or 5 times a power of ten, some five of them up to `longest`.
fn step(longest: f64) -> f64 {
    if longest <= 0.0 {
        return 1.0;
    }
    let rough = longest / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|factor| rough <= factor * power)
        .unwrap_or(10.0);
    factor * power
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_few() {
        assert_eq!(
            [0.0, 4.9, 12.0, 26.0, 700.0].map(step),
            [1.0, 1.0, 5.0, 10.0, 200.0]
        );
    }

    #[test]
    fn a_bar_is_as_long_as_its_value_and_text_can_not_break_out() {
        let bar = |value: f64| Bar {
            label: "a<b".into(),
            parts: vec![value],
            low: value,
            high: value,
            note: format!("{value} \"&\""),
        };
        let group = Group {
            title: "g".into(),
            bars: vec![bar(5.0), bar(10.0)],
        };
        let chart = Chart {
            title: "t".into(),
            label_width: 110.0,
            parts: vec!["p".into()],
            groups: vec![group],
        };
        let svg = chart.to_svg();
        let full = "width=\"500.0\"";
        let half = "width=\"250.0\"";
        assert!(svg.contains(full) && svg.contains(half), "{svg}");
        assert!(
            svg.contains("a&lt;b") && svg.contains("10 &quot;&amp;&quot;"),
            "{svg}"
        );
    }
}
