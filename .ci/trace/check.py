"""Reads a trace by Perfetto's published schema, and counts what is in it.

Standard input is what the program has said that it wrote.
"""

import collections
import re
import sys

from google.protobuf.unknown_fields import UnknownFieldSet
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as schema

BEGIN, END, INSTANT, COUNTER = (
    getattr(schema.TrackEvent, "TYPE_" + name)
    for name in ("SLICE_BEGIN", "SLICE_END", "INSTANT", "COUNTER")
)


def check_known(message):
    """Every field is one of the schema's."""
    assert len(UnknownFieldSet(message)) == 0, message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if isinstance(value, collections.abc.Sequence) else [value]:
                check_known(inner)


class File:
    def __init__(self, trace):
        self.names = {}
        self.tracks = {}
        # Of each track.
        self.last = collections.Counter()
        self.open_slices = collections.defaultdict(list)
        # The times at which arrows begin and end.
        self.starts, self.ends = {}, {}
        # What is on the tracks of threads, and of that the waits between the polls of main.
        self.on_threads = self.waits_of_main = 0
        for packet in trace.packet:
            assert packet.trusted_packet_sequence_id == 1
            for name in packet.interned_data.event_names:
                self.names[name.iid] = name.name
            if packet.HasField("track_descriptor"):
                self.add_track(packet.track_descriptor)
            else:
                self.add_event(packet.timestamp, packet.track_event)

    def add_track(self, track):
        assert track.uuid not in self.tracks
        assert not track.HasField("parent_uuid") or track.parent_uuid in self.tracks
        self.tracks[track.uuid] = track

    def add_event(self, at, event):
        track = self.tracks[event.track_uuid]
        assert at >= self.last[track.uuid], "time goes back"
        self.last[track.uuid] = at
        assert track.HasField("counter") == (event.type == COUNTER)
        name = self.names.get(event.name_iid)
        assert (name is None) == (event.type in (END, COUNTER)), name
        flows = {flow: at for flow in event.flow_ids}
        if event.type == BEGIN:
            self.open_slices[track.uuid].append(name)
            self.ends.update(flows)
        if event.type == END:
            name = self.open_slices[track.uuid].pop()
        if event.type == INSTANT:
            self.starts.update(flows)
        if self.parent(track) != "goroutines":
            self.on_threads += 1
            is_slice = event.type in (BEGIN, END)
            self.waits_of_main += track.name == "main" and is_slice and name != "main"

    def parent(self, track):
        return self.tracks[track.parent_uuid].name

    def goroutines(self):
        tracks = self.tracks.values()
        return sum(t.HasField("parent_uuid") and self.parent(t) == "goroutines" for t in tracks)


def main():
    trace = schema.Trace()
    with open(sys.argv[1], "rb") as file:
        trace.ParseFromString(file.read())
    check_known(trace)
    file = File(trace)
    assert file.ends.keys() <= file.starts.keys(), "an arrow has a begin"
    assert all(file.starts[flow] <= at for flow, at in file.ends.items()), "arrows lead forward"
    said = r"(\d+) packets, with (\d+) events of (\d+) goroutines; 0 came before"
    packets, events, goroutines = map(int, re.search(said, sys.stdin.read()).groups())
    assert packets == len(trace.packet)
    assert goroutines == file.goroutines() == 4
    assert events == file.on_threads - file.waits_of_main, vars(file)
    assert len(file.ends) > 50
    print(f"{packets} packets are as the schema says, with {events} events and {len(file.ends)} arrows")


if __name__ == "__main__":
    main()
