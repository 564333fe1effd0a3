//! What the motorway shows: numbers since the start, and marks for what happened just now.
//!
//! Invariant: nothing here changes unless a page did something. The patches that show the picture
//! itself are events too, so each time the picture is published they are expected, and what is
//! expected is taken off what is counted next: at rest the picture is still.

use autovia::Lane;

/// Marks of one lane and step; more would not be seen apart. The numbers are always exact.
const EVENT_MARKS_MAX: u64 = 5;
const CROSSING_MARKS_MAX: u64 = 2;

/// A mark has left the picture after this many steps: its 1.4 s and the longest delay.
const MARK_STEPS: u64 = 8;

/// What is expected and has not come after this many steps won't come.
const EXPECT_STEPS: u64 = 4;

/// One lane of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneView {
    /// Pages with an open stream.
    pub open: u64,
    /// Events delivered to them since the start.
    pub events: u64,
}

/// What runs along the road.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An event was delivered in this lane.
    Event { lane: usize },
    /// A message changed lanes.
    Crossing { from: usize, to: usize },
}

/// One mark; its number stays the same from patch to patch, so it goes on running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub number: u64,
    pub kind: Kind,
    /// It starts so many eightieths of a second later than the others.
    pub wave: u64,
    born: u64,
}

/// The picture and what it is reckoned from.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    pub lanes: Vec<LaneView>,
    pub marks: Vec<Mark>,
    /// Messages that changed lanes since the start.
    pub crossings: u64,
    last: Vec<Lane>,
    expected: Vec<Expected>,
    step: u64,
    published: u64,
    numbers: u64,
}

/// What the picture's own patches will add to a lane.
#[derive(Clone, Copy, Debug, Default)]
struct Expected {
    events: u64,
    crossings: u64,
}

impl Traffic {
    /// Takes in what the lanes count now. `true`: the picture changed and has to be published
    /// from the shard `publisher`, to `audience` pages in each lane.
    pub fn record(&mut self, now: &[Lane], audience: &[u64], publisher: usize) -> bool {
        self.step += 1;
        if self.last.len() != now.len() {
            self.last = now.to_vec();
            self.lanes = vec![LaneView::default(); now.len()];
            self.expected = vec![Expected::default(); now.len()];
        }
        if self.step > self.published + EXPECT_STEPS {
            self.expected.fill(Expected::default());
        }
        let before = self.marks.len();
        self.marks.retain(|mark| self.step < mark.born + MARK_STEPS);
        let mut changed = self.marks.len() != before;

        let mut delivered = Vec::with_capacity(now.len());
        let mut crossed = Vec::with_capacity(now.len());
        for ((lane, last), expected) in now.iter().zip(&mut self.last).zip(&mut self.expected) {
            delivered.push(without(
                lane.events.saturating_sub(last.events),
                &mut expected.events,
            ));
            crossed.push(without(
                lane.crossings.saturating_sub(last.crossings),
                &mut expected.crossings,
            ));
            *last = *lane;
        }
        for (index, lane) in now.iter().enumerate() {
            changed |=
                self.lanes[index].open != lane.streams || delivered[index] + crossed[index] > 0;
            self.lanes[index].open = lane.streams;
            self.lanes[index].events += delivered[index];
            self.crossings += crossed[index];
        }
        for (lane, count) in delivered.iter().enumerate() {
            for wave in 0..(*count).min(EVENT_MARKS_MAX) {
                self.add(Kind::Event { lane }, wave);
            }
        }
        let from = source(&crossed);
        for (to, count) in crossed.iter().enumerate().filter(|(to, _)| *to != from) {
            for wave in 0..(*count).min(CROSSING_MARKS_MAX) {
                self.add(Kind::Crossing { from, to }, wave);
            }
        }
        if changed {
            self.published = self.step;
            for (index, expected) in self.expected.iter_mut().enumerate() {
                let watching = audience.get(index).copied().unwrap_or(0);
                expected.events = (expected.events + watching).min(2 * watching);
                expected.crossings += u64::from(index != publisher);
            }
        }
        changed
    }

    fn add(&mut self, kind: Kind, wave: u64) {
        self.numbers += 1;
        self.marks.push(Mark {
            number: self.numbers,
            kind,
            wave,
            born: self.step,
        });
    }
}

/// Takes what was expected off `count`.
fn without(count: u64, expected: &mut u64) -> u64 {
    let own = count.min(*expected);
    *expected -= own;
    count - own
}

/// Who tells all others hears nothing itself: the lane that got the fewest messages.
fn source(crossed: &[u64]) -> usize {
    let lanes = crossed.iter().enumerate();
    lanes
        .min_by_key(|(_, count)| **count)
        .map_or(0, |(lane, _)| lane)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(shard: usize, streams: u64, events: u64, crossings: u64) -> Lane {
        Lane {
            shard,
            streams,
            events,
            crossings,
            ..Lane::default()
        }
    }

    /// Two lanes, one watcher in each, at rest since the picture of them was shown.
    fn at_rest() -> Traffic {
        let mut traffic = Traffic::default();
        assert!(traffic.record(&[lane(0, 1, 10, 0), lane(1, 1, 20, 0)], &[1, 1], 0));
        assert!(!traffic.record(&[lane(0, 1, 11, 0), lane(1, 1, 21, 1)], &[1, 1], 0));
        traffic
    }

    #[test]
    fn its_own_patches_move_nothing() {
        let mut traffic = at_rest();
        assert!(traffic.marks.is_empty());
        for _ in 0..100 {
            assert!(!traffic.record(&[lane(0, 1, 11, 0), lane(1, 1, 21, 1)], &[1, 1], 0));
        }
        assert_eq!((traffic.lanes[0].events, traffic.crossings), (0, 0));
    }

    #[test]
    fn a_click_seen_in_both_lanes_is_two_events_and_one_crossing() {
        let mut traffic = at_rest();
        assert!(traffic.record(&[lane(0, 1, 12, 0), lane(1, 1, 22, 2)], &[1, 1], 0));
        let kinds: Vec<Kind> = traffic.marks.iter().map(|mark| mark.kind).collect();
        assert_eq!(
            kinds,
            [
                Kind::Event { lane: 0 },
                Kind::Event { lane: 1 },
                Kind::Crossing { from: 0, to: 1 }
            ]
        );
        assert_eq!(
            (
                traffic.lanes[0].events,
                traffic.lanes[1].events,
                traffic.crossings
            ),
            (1, 1, 1)
        );
    }

    #[test]
    fn its_own_patches_may_come_late_and_between_others() {
        let mut traffic = at_rest();
        assert!(traffic.record(&[lane(0, 1, 12, 0), lane(1, 1, 22, 2)], &[1, 1], 0));
        assert!(!traffic.record(&[lane(0, 1, 12, 0), lane(1, 1, 22, 2)], &[1, 1], 0));
        assert!(traffic.record(&[lane(0, 1, 16, 0), lane(1, 1, 23, 3)], &[1, 1], 0));
        assert_eq!(
            (
                traffic.lanes[0].events,
                traffic.lanes[1].events,
                traffic.crossings
            ),
            (4, 1, 1)
        );
    }

    #[test]
    fn marks_leave_in_one_last_picture_and_then_it_is_still() {
        let mut traffic = at_rest();
        let (mut events, mut pictures) = (12, 0);
        for _ in 0..40 {
            if traffic.record(&[lane(0, 1, events, 0), lane(1, 1, 21, 1)], &[1, 0], 1) {
                pictures += 1;
                events += 1; // the watcher in lane 0 gets the picture
            }
        }
        assert_eq!(
            (pictures, traffic.marks.len(), traffic.lanes[0].events),
            (2, 0, 1)
        );
    }

    #[test]
    fn much_traffic_is_counted_whole_and_drawn_in_part() {
        let mut traffic = at_rest();
        assert!(traffic.record(&[lane(0, 1, 1011, 0), lane(1, 1, 21, 501)], &[1, 1], 0));
        assert_eq!((traffic.lanes[0].events, traffic.crossings), (1000, 500));
        assert_eq!(traffic.marks.len(), 7);
    }
}
