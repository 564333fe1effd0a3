//! What the motorway shows: numbers since the start, and marks for what happened just now.
//!
//! Invariant: nothing here changes unless a page did something. The patches that show the picture
//! itself are events too, and the broadcast of it a message to each other lane: both are counted
//! where they arise and taken off here, so at rest the picture is still.

use std::cmp::Reverse;

use autovia::Lane;

/// Marks of one lane and step; more would not be seen apart. The numbers are always exact.
const EVENT_MARKS_MAX: u64 = 5;
const CROSSING_MARKS_MAX: u64 = 2;

/// A mark has left the picture after this many steps: its 1.4 s and the longest delay.
const MARK_STEPS: u64 = 8;

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
    /// Rises when the picture changes.
    pub version: u64,
    /// Messages that changed lanes, by the lane that got them.
    crossed: Vec<u64>,
    /// Messages to each lane that the picture caused.
    own_crossings: Vec<u64>,
    /// Actions, by lane.
    actions: Vec<u64>,
    step: u64,
    numbers: u64,
}

impl Traffic {
    /// Takes in what the lanes count now, and how many of their events only showed this picture.
    /// `true`: the picture changed and has to be published from the shard `publisher`.
    pub fn record(&mut self, now: &[Lane], own_events: &[u64], publisher: usize) -> bool {
        self.step += 1;
        self.lanes.resize(now.len(), LaneView::default());
        self.crossed.resize(now.len(), 0);
        self.own_crossings.resize(now.len(), 0);
        self.actions.resize(now.len(), 0);
        let before = self.marks.len();
        self.marks.retain(|mark| self.step < mark.born + MARK_STEPS);
        let mut changed = self.marks.len() != before;

        let mut acted = Vec::with_capacity(now.len());
        let mut crossed = Vec::with_capacity(now.len());
        for (index, lane) in now.iter().enumerate() {
            let own = own_events.get(index).copied().unwrap_or(0);
            let delivered = rise(&mut self.lanes[index].events, lane.events, own);
            let messages = rise(
                &mut self.crossed[index],
                lane.crossings,
                self.own_crossings[index],
            );
            changed |= self.lanes[index].open != lane.streams || delivered + messages > 0;
            self.lanes[index].open = lane.streams;
            self.crossings += messages;
            crossed.push(messages);
            acted.push(rise(&mut self.actions[index], lane.actions, 0));
            for wave in 0..delivered.min(EVENT_MARKS_MAX) {
                self.add(Kind::Event { lane: index }, wave);
            }
        }
        for (to, count) in crossed.iter().enumerate() {
            let Some(from) = source(to, &acted, &crossed) else {
                break; // a single lane has nothing to change to
            };
            for wave in 0..(*count).min(CROSSING_MARKS_MAX) {
                self.add(Kind::Crossing { from, to }, wave);
            }
        }
        if changed {
            self.version += 1;
            for (index, own) in self.own_crossings.iter_mut().enumerate() {
                *own += u64::from(index != publisher);
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

/// Raises `shown` to what is left of `count` without `own`, and tells by how much. What is own may
/// be known before it is counted: then there is nothing to raise until it is.
fn rise(shown: &mut u64, count: u64, own: u64) -> u64 {
    let others = count.saturating_sub(own);
    let more = others.saturating_sub(*shown);
    *shown += more;
    more
}

/// Where a message to lane `to` came from. Lanes count what they get, not from whom: with more than
/// two of them it is taken to be the one that ran most actions, then the one that got least itself,
/// since who tells all others hears nothing.
fn source(to: usize, acted: &[u64], crossed: &[u64]) -> Option<usize> {
    (0..crossed.len())
        .filter(|lane| *lane != to)
        .max_by_key(|lane| (acted[*lane], Reverse(crossed[*lane]), Reverse(*lane)))
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

    /// Two lanes with a watcher each that have seen the first picture.
    fn at_rest() -> Traffic {
        let mut traffic = Traffic::default();
        assert!(traffic.record(&[lane(0, 1, 0, 0), lane(1, 1, 0, 0)], &[0, 0], 0));
        assert!(!traffic.record(&[lane(0, 1, 1, 0), lane(1, 1, 1, 1)], &[1, 1], 0));
        traffic
    }

    #[test]
    fn its_own_patches_move_nothing() {
        let mut traffic = at_rest();
        for _ in 0..100 {
            assert!(!traffic.record(&[lane(0, 1, 1, 0), lane(1, 1, 1, 1)], &[1, 1], 0));
        }
        assert!(traffic.marks.is_empty());
        assert_eq!((traffic.lanes[0].events, traffic.crossings), (0, 0));
    }

    #[test]
    fn a_click_seen_in_both_lanes_is_two_events_and_one_crossing() {
        let mut traffic = at_rest();
        assert!(traffic.record(&[lane(0, 1, 2, 0), lane(1, 1, 2, 2)], &[1, 1], 0));
        let kinds: Vec<Kind> = traffic.marks.iter().map(|mark| mark.kind).collect();
        assert_eq!(
            kinds,
            [
                Kind::Event { lane: 0 },
                Kind::Event { lane: 1 },
                Kind::Crossing { from: 0, to: 1 }
            ]
        );
        assert_eq!((traffic.lanes[0].events, traffic.lanes[1].events), (1, 1));
        assert_eq!(traffic.crossings, 1);
    }

    #[test]
    fn its_own_patches_may_be_known_before_they_are_counted() {
        let mut traffic = at_rest();
        assert!(traffic.record(&[lane(0, 1, 2, 0), lane(1, 1, 2, 2)], &[1, 1], 0));
        assert!(!traffic.record(&[lane(0, 1, 2, 0), lane(1, 1, 2, 2)], &[2, 2], 0));
        assert!(!traffic.record(&[lane(0, 1, 3, 0), lane(1, 1, 3, 3)], &[2, 2], 0));
        assert!(traffic.record(&[lane(0, 1, 7, 0), lane(1, 1, 3, 3)], &[2, 2], 0));
        assert_eq!((traffic.lanes[0].events, traffic.lanes[1].events), (5, 1));
    }

    #[test]
    fn marks_leave_in_one_last_picture_and_then_it_is_still() {
        let mut traffic = at_rest();
        let (mut own, mut pictures) = (1, 0);
        for _ in 0..40 {
            // One event of others, and each picture to the watcher in lane 0.
            let now = [lane(0, 1, 1 + own, 0), lane(1, 1, 1, 1 + pictures)];
            if traffic.record(&now, &[own, 1], 0) {
                pictures += 1;
                own += 1;
            }
        }
        assert_eq!((pictures, traffic.marks.len()), (2, 0));
        assert_eq!((traffic.lanes[0].events, traffic.crossings), (1, 0));
    }

    #[test]
    fn messages_come_from_the_lane_that_acted() {
        let mut traffic = Traffic::default();
        traffic.record(
            &[lane(0, 1, 0, 0), lane(1, 1, 0, 0), lane(2, 1, 0, 0)],
            &[],
            0,
        );
        // Lane 1 was handed a click, ran it and told the others; two messages are the picture's.
        let acted = Lane {
            actions: 1,
            ..lane(1, 1, 0, 2)
        };
        assert!(traffic.record(&[lane(0, 1, 0, 1), acted, lane(2, 1, 0, 2)], &[], 0));
        let kinds: Vec<Kind> = traffic.marks.iter().map(|mark| mark.kind).collect();
        assert_eq!(
            kinds,
            [
                Kind::Crossing { from: 1, to: 0 },
                Kind::Crossing { from: 0, to: 1 },
                Kind::Crossing { from: 1, to: 2 }
            ]
        );
    }

    #[test]
    fn much_traffic_is_counted_whole_and_drawn_in_part() {
        let mut traffic = at_rest();
        assert!(traffic.record(&[lane(0, 1, 1001, 0), lane(1, 1, 1, 501)], &[1, 1], 0));
        assert_eq!((traffic.lanes[0].events, traffic.crossings), (1000, 500));
        assert_eq!(traffic.marks.len(), 7);
    }
}
