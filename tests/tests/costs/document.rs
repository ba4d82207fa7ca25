//! Tables of a Markdown document.

use tests::files::{file, text};

pub struct Document {
    name: &'static str,
    lines: Vec<String>,
}

pub struct Table {
    /// The index of the first row's line.
    at: usize,
    pub rows: Vec<Vec<String>>,
}

impl Document {
    pub fn read(name: &'static str) -> Self {
        Self { name, lines: text(name).lines().map(str::to_owned).collect() }
    }

    pub fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }

    pub fn write(&self) {
        std::fs::write(file(self.name), self.text()).unwrap();
    }

    /// The first table below a heading, without its head.
    pub fn table(&self, heading: &str) -> Table {
        let heading = format!("## {heading}");
        let lines = self.lines.iter().enumerate();
        let below = lines.skip_while(|(_, line)| **line != heading);
        let mut table = below.skip_while(|(_, line)| !line.starts_with("|---")).skip(1).peekable();
        let (at, _) = *table.peek().unwrap_or_else(|| panic!("no table below {heading}"));
        let rows = table.map(|(_, line)| line).take_while(|line| line.starts_with('|'));
        Table { at, rows: rows.map(|line| cells(line)).collect() }
    }

    pub fn put(&mut self, table: &Table) {
        for (line, row) in self.lines[table.at..].iter_mut().zip(&table.rows) {
            let cells = row.iter().map(|cell| match cell.as_str() {
                "" => " ".to_owned(),
                cell => format!(" {cell} "),
            });
            *line = format!("|{}|", cells.collect::<Vec<_>>().join("|"));
        }
    }
}

fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

impl Table {
    /// The row whose first cell is this.
    pub fn row(&mut self, name: &str) -> &mut Vec<String> {
        let found = self.rows.iter_mut().find(|row| row[0] == name);
        found.unwrap_or_else(|| panic!("docs/costs.md has no row {name}"))
    }

    pub fn get(&self, name: &str) -> &[String] {
        let found = self.rows.iter().find(|row| row[0] == name);
        found.unwrap_or_else(|| panic!("docs/costs.md has no row {name}"))
    }
}

/// The number in a cell; an empty cell is zero.
pub fn number(cell: &str) -> f64 {
    match cell.trim_matches('*').replace(',', "").as_str() {
        "" => 0.0,
        text => text.parse().unwrap_or_else(|_| panic!("no number: {cell}")),
    }
}

/// The amount of a price, such as `0.05 per 10,000`.
pub fn amount(price: &str) -> f64 {
    number(price.split(' ').next().unwrap())
}

/// The number of units that have a price. A GB is a million KB.
pub fn per(price: &str) -> f64 {
    match price.split_once(" per ").map(|(_, unit)| unit) {
        None => 1.0,
        Some("10,000") => 1e4,
        Some("GB" | "million" | "million GB-s") => 1e6,
        Some(unit) => panic!("no unit of a price: {unit}"),
    }
}

/// Half a cent is rounded up.
pub fn dollars(amount: f64) -> String {
    format!("{:.2}", (amount * 100.0 + 1e-6).round() / 100.0)
}

/// A number with at most four decimals, and commas between thousands.
pub fn plain(number: f64) -> String {
    let text = format!("{number:.4}");
    let (whole, part) = text.split_once('.').unwrap();
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let part = part.trim_end_matches('0');
    if part.is_empty() { grouped } else { format!("{grouped}.{part}") }
}
