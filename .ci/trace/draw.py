"""Draws a part of a trace, as `docs/trace.svg` has it: draw.py FILE FROM-MS TO-MS >docs/trace.svg"""

import collections
import html
import sys

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as schema

WIDTH, LEFT, ROW, BAR = 1000, 150, 26, 18
COLOURS = {
    "poll": "#4c78a8",
    "main": "#54a24b",
    "running": "#4c78a8",
    "queued": "#e45756",
    "sleep": "#e4e4e4",
    "wait": "#f2cf9b",
}


def colour(track, name):
    if name in COLOURS:
        return COLOURS[name]
    if name.startswith("sleep,") or (name == "sleep" and track.startswith("worker")):
        return COLOURS["sleep"]
    if track.startswith("worker"):
        return COLOURS["poll"]
    return COLOURS["wait"]


def label(track):
    return track.rsplit("/", 1)[-1]


def main():
    path, start, end = sys.argv[1], float(sys.argv[2]) * 1e6, float(sys.argv[3]) * 1e6
    trace = schema.Trace()
    with open(path, "rb") as file:
        trace.ParseFromString(file.read())
    names, tracks, stacks = {}, {}, collections.defaultdict(list)
    slices, starts, ends = [], {}, {}
    for packet in trace.packet:
        for name in packet.interned_data.event_names:
            names[name.iid] = name.name
        if packet.HasField("track_descriptor"):
            track = packet.track_descriptor
            tracks[track.uuid] = track
            continue
        event, at = packet.track_event, packet.timestamp
        if event.type == event.TYPE_SLICE_BEGIN:
            stacks[event.track_uuid].append((names[event.name_iid], at))
            ends.update({flow: (event.track_uuid, at) for flow in event.flow_ids})
        elif event.type == event.TYPE_SLICE_END:
            name, begin = stacks[event.track_uuid].pop()
            slices.append((event.track_uuid, name, begin, at))
        elif event.type == event.TYPE_INSTANT:
            starts.update({flow: (event.track_uuid, at) for flow in event.flow_ids})
    shown = [t for t in tracks.values() if t.name == "main" or t.name.startswith(("worker", "monitor"))]
    shown.sort(key=lambda t: t.sibling_order_rank)
    goroutines = next(t.uuid for t in tracks.values() if t.name == "goroutines")
    shown += [t for t in tracks.values() if t.parent_uuid == goroutines]
    shown = [t for t in shown if any(s[0] == t.uuid and s[2] < end and s[3] > start for s in slices)]
    rows = {track.uuid: number for number, track in enumerate(shown)}
    x = lambda at: LEFT + (min(max(at, start), end) - start) / (end - start) * (WIDTH - LEFT)
    y = lambda uuid: rows[uuid] * ROW + 4
    height = len(rows) * ROW + 24
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">')
    print(f'<rect width="{WIDTH}" height="{height}" fill="white"/>')
    for track in shown:
        print(f'<text x="4" y="{y(track.uuid) + 13}">{html.escape(label(track.name))}</text>')
    for uuid, name, begin, stop in slices:
        if uuid not in rows or stop < start or begin > end:
            continue
        width = max(x(stop) - x(begin), 1)
        fill = colour(tracks[uuid].name, name)
        print(f'<rect x="{x(begin):.1f}" y="{y(uuid)}" width="{width:.1f}" height="{BAR}" fill="{fill}">'
              f"<title>{html.escape(name)}</title></rect>")
        operation, _, place = name.partition(" at ")
        texts = [f"{operation} {label(place)}".strip(), operation] if place else [label(name)]
        text = next((text for text in texts if width > 6.2 * len(text)), None)
        if text:
            ink = "white" if fill in ("#4c78a8", "#e45756", "#54a24b") else "black"
            print(f'<text x="{x(begin) + 3:.1f}" y="{y(uuid) + 13}" fill="{ink}">{html.escape(text)}</text>')
    for flow, (uuid, at) in starts.items():
        if flow not in ends or uuid not in rows or ends[flow][0] not in rows:
            continue
        to, when = ends[flow]
        if start <= at and when <= end:
            print(f'<path d="M{x(at):.1f} {y(uuid) + BAR / 2} L{x(when):.1f} {y(to) + BAR / 2}" '
                  'stroke="#222" stroke-width="0.8" fill="none"/>'
                  f'<circle cx="{x(when):.1f}" cy="{y(to) + BAR / 2}" r="1.6" fill="#222"/>')
    step = 1e6
    tick = (start // step + 1) * step
    while tick < end:
        print(f'<text x="{x(tick):.1f}" y="{height - 6}" fill="#666" text-anchor="middle">{tick / 1e6:.0f} ms</text>')
        tick += step
    print("</svg>")


if __name__ == "__main__":
    main()
