//! Eight invented prices: made once, shared by all shards, each change under one lock.
//!
//! Every stock has exactly [`POINTS`] prices at any time, the oldest first, in cents.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

/// Prices that are kept of each stock.
pub const POINTS: usize = 60;

const COMPANIES: [(&str, &str, i64); 8] = [
    ("AAPL", "Apple", 19118),
    ("AMZN", "Amazon", 18037),
    ("GOOG", "Alphabet", 14764),
    ("META", "Meta", 46933),
    ("MSFT", "Microsoft", 43204),
    ("NFLX", "Netflix", 60802),
    ("NVDA", "Nvidia", 79951),
    ("TSLA", "Tesla", 20826),
];

/// A price never falls below one unit of money.
const LOWEST: i64 = 100;

/// All stocks.
pub struct Market {
    state: Mutex<State>,
}

struct State {
    /// In the order of [`COMPANIES`].
    prices: [[i64; POINTS]; COMPANIES.len()],
    chance: u64,
    viewers: usize,
}

/// One stock at one moment.
pub struct Quote {
    /// As in an address: `AAPL`.
    pub symbol: &'static str,
    /// Whose it is.
    pub company: &'static str,
    prices: [i64; POINTS],
}

impl Market {
    /// A market with a past: each stock has its [`POINTS`] prices at once.
    pub fn new(seed: u64) -> Self {
        let prices = COMPANIES.map(|(_, _, price)| [price; POINTS]);
        let chance = seed | 1;
        let market = Self {
            state: Mutex::new(State {
                prices,
                chance,
                viewers: 0,
            }),
        };
        for _ in 0..POINTS {
            market.tick();
        }
        market
    }

    /// A page that shows prices is there.
    pub fn enter(&self) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .viewers += 1;
    }

    /// It is no longer there.
    pub fn leave(&self) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .viewers -= 1;
    }

    /// Somebody looks.
    pub fn is_watched(&self) -> bool {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .viewers
            > 0
    }

    /// A new price for each stock, up to half a percent away from the one before.
    pub fn tick(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { prices, chance, .. } = &mut *state;
        for prices in prices {
            *chance ^= *chance << 13;
            *chance ^= *chance >> 7;
            *chance ^= *chance << 17;
            let permyriad = i64::try_from(*chance % 101).unwrap_or(50) - 50;
            let last = prices[POINTS - 1];
            prices.rotate_left(1);
            prices[POINTS - 1] = (last + last * permyriad / 10_000).max(LOWEST);
        }
    }

    /// One stock now, if there is such a symbol.
    pub fn quote(&self, symbol: &str) -> Option<Quote> {
        let index = COMPANIES.iter().position(|(name, ..)| *name == symbol)?;
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Some(quote(&state, index))
    }

    /// All of them at the same moment.
    pub fn quotes(&self) -> Vec<Quote> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (0..COMPANIES.len())
            .map(|index| quote(&state, index))
            .collect()
    }
}

fn quote(state: &State, index: usize) -> Quote {
    let (symbol, company, _) = COMPANIES[index];
    Quote {
        symbol,
        company,
        prices: state.prices[index],
    }
}

fn money(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

impl Quote {
    /// `191.18`.
    pub fn price(&self) -> String {
        money(self.prices[POINTS - 1])
    }

    /// The highest of the prices that are kept.
    pub fn highest(&self) -> String {
        money(self.prices.into_iter().fold(LOWEST, i64::max))
    }

    /// The lowest of them.
    pub fn lowest(&self) -> String {
        money(self.prices.into_iter().fold(i64::MAX, i64::min))
    }

    /// Since the price before: `▲ 0.43 %`.
    pub fn change(&self) -> String {
        let [.., before, now] = self.prices;
        let permyriad = (now - before) * 10_000 / before;
        let arrow = match permyriad {
            ..0 => "▼",
            0 => "▬",
            1.. => "▲",
        };
        format!("{arrow} {} %", money(permyriad.abs()))
    }

    /// The points of an SVG polyline that fills a box of this size.
    pub fn points(&self, width: i64, height: i64) -> String {
        let lowest = self.prices.into_iter().fold(i64::MAX, i64::min);
        let highest = self.prices.into_iter().fold(LOWEST, i64::max);
        let range = (highest - lowest).max(1);
        let mut points = String::with_capacity(POINTS * 10);
        for (index, price) in (0_i64..).zip(self.prices) {
            let x = width * index * 10 / (POINTS as i64 - 1);
            let y = height * (highest - price) * 10 / range;
            let space = if index == 0 { "" } else { " " };
            write!(points, "{space}{}.{},{}.{}", x / 10, x % 10, y / 10, y % 10)
                .expect("a String takes all");
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_adds_one_price_and_drops_the_oldest() {
        let market = Market::new(7);
        let before = market.quote("AAPL").expect("a known symbol").prices;
        market.tick();
        let after = market.quote("AAPL").expect("a known symbol").prices;
        assert_eq!(before[1..], after[..POINTS - 1]);
        assert!((after[POINTS - 1] - before[POINTS - 1]).abs() * 200 <= before[POINTS - 1]);
        assert!(market.quote("aapl").is_none() && market.quote("").is_none());
    }

    #[test]
    fn texts_and_curve_follow_the_prices() {
        let mut prices = [20000; POINTS];
        prices[0] = 10000;
        prices[POINTS - 1] = 20105;
        let quote = Quote {
            symbol: "AAPL",
            company: "Apple",
            prices,
        };
        assert_eq!(quote.price(), "201.05");
        assert_eq!(quote.change(), "▲ 0.52 %");
        assert_eq!(
            (quote.lowest(), quote.highest()),
            ("100.00".to_owned(), "201.05".to_owned())
        );
        let points = quote.points(590, 240);
        assert!(points.starts_with("0.0,240.0 10.0,2.4 "), "{points}");
        assert!(points.ends_with(" 590.0,0.0"), "{points}");
        assert_eq!(points.split(' ').count(), POINTS);
    }
}
