//! The numbers of the fields that a trace uses, in Perfetto's messages `Trace`, `TracePacket`, `TrackDescriptor`,
//! `ProcessDescriptor`, `TrackEvent`, `DebugAnnotation`, `InternedData` and `EventName`.

#![forbid(unsafe_code)]

pub(super) const TRACE_PACKET: u64 = 1;

pub(super) const PACKET_TIMESTAMP: u64 = 8;
pub(super) const PACKET_SEQUENCE_ID: u64 = 10;
pub(super) const PACKET_TRACK_EVENT: u64 = 11;
pub(super) const PACKET_INTERNED_DATA: u64 = 12;
pub(super) const PACKET_SEQUENCE_FLAGS: u64 = 13;
pub(super) const PACKET_TRACK_DESCRIPTOR: u64 = 60;

pub(super) const TRACK_UUID: u64 = 1;
pub(super) const TRACK_NAME: u64 = 2;
pub(super) const TRACK_PROCESS: u64 = 3;
pub(super) const TRACK_PARENT: u64 = 5;
pub(super) const TRACK_COUNTER: u64 = 8;
pub(super) const TRACK_CHILD_ORDERING: u64 = 11;
pub(super) const TRACK_RANK: u64 = 12;

pub(super) const PROCESS_PID: u64 = 1;
pub(super) const PROCESS_NAME: u64 = 6;

pub(super) const EVENT_ANNOTATION: u64 = 4;
pub(super) const EVENT_TYPE: u64 = 9;
pub(super) const EVENT_NAME: u64 = 10;
pub(super) const EVENT_TRACK: u64 = 11;
pub(super) const EVENT_COUNT: u64 = 30;
pub(super) const EVENT_FLOW: u64 = 47;

pub(super) const ANNOTATION_NUMBER: u64 = 3;
pub(super) const ANNOTATION_NAME: u64 = 10;

pub(super) const INTERNED_EVENT_NAMES: u64 = 2;
pub(super) const INTERNED_NUMBER: u64 = 1;
pub(super) const INTERNED_NAME: u64 = 2;

/// `TrackEvent.Type`.
pub(super) const BEGIN: u64 = 1;
pub(super) const END: u64 = 2;
pub(super) const INSTANT: u64 = 3;
pub(super) const COUNT: u64 = 4;

/// `TracePacket.SequenceFlags`: what was interned before is void; the packet needs what has been interned.
pub(super) const INTERNS_ANEW: u64 = 1;
pub(super) const NEEDS_INTERNED: u64 = 2;

/// `TrackDescriptor.ChildTracksOrdering`: by their ranks.
pub(super) const BY_RANK: u64 = 3;
