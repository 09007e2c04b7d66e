// The files that are being downloaded, a few at once. They continue while the user looks at
// other views. Links carry no token, so a file is fetched in parts and then handed to the
// browser. What is there stays, so that a download goes on where it stopped.
import { signal, type Signal } from "@preact/signals";
import { authorized } from "./api";
import { address, type Entry } from "./files";
import { ofOneUser } from "./owner";
import { offline, problemIn, problemOf, type Problem } from "./problem";
import { save } from "./save";
import { t } from "./texts";

type State = "waiting" | "receiving" | "done" | "failed" | "cancelled";

export interface Download {
  readonly entry: Entry;
  readonly state: Signal<State>;
  /** How many bytes are there. */
  readonly received: Signal<number>;
  /** Why it failed, or why it waits. */
  readonly problem: Signal<Problem | null>;
  /** The bytes that are there, and the tag of the version that they are from. */
  parts: Blob[];
  tag: string | null;
  stop: () => void;
  runs: number; // a stopped one may take a moment to end
}

export const downloads = signal<Download[]>([]);

const atOnce = 3;
const maxHeld = 8 << 20; // bytes; of more, browsers make a file until the download is complete

/** Downloads a file. Those that are complete are of no interest any more. */
export function download(entry: Entry): void {
  const same = downloads.value.find((d) => d.entry.path === entry.path);
  if (same && active(same)) return;
  downloads.value = [...downloads.value.filter((d) => d !== same && d.state.value !== "done"), {
    entry, state: signal<State>("waiting"), received: signal(0), problem: signal<Problem | null>(null), parts: [], tag: null, stop: () => {}, runs: 0,
  }];
  work();
}

/** Continues a download that stopped. */
export function again(d: Download): void {
  d.problem.value = null;
  d.state.value = "waiting";
  work();
}

export function cancel(...some: Download[]): void {
  for (const d of some) d.state.value = "cancelled";
  for (const d of some) d.stop();
}

/** Removes the downloads that are over. */
export function clear(): void {
  downloads.value = downloads.value.filter(active);
}

export const active = (d: Download) => d.state.value === "waiting" || d.state.value === "receiving";

let working = 0;

function work() {
  for (let next; working < atOnce && (next = downloads.value.find((d) => d.state.value === "waiting")); ) {
    next.state.value = "receiving";
    working++;
    void run(next).finally(() => {
      working--;
      work();
    });
  }
}

const maxTries = 20; // without a byte, while the server says when to try again, or there is no connection
const pauseOffline = 3; // seconds

async function run(d: Download) {
  const mine = ++d.runs;
  const going = () => d.state.value === "receiving" && d.runs === mine;
  for (let tries = 1; going(); tries++) {
    const before = d.received.value;
    d.problem.value = null;
    try {
      await receive(d);
      save(new Blob(d.parts), d.entry.name);
      d.parts = [];
      d.state.value = "done";
    } catch (error) {
      if (!going()) return; // it is cancelled
      let problem = problemOf(error);
      if (problem.code === "offline") problem = offline(pauseOffline);
      if (d.received.value > before) tries = 0;
      d.problem.value = problem;
      if (problem.retryAfter === 0 || tries === maxTries) d.state.value = "failed";
      else await pause(d, problem.retryAfter);
    }
  }
}

/** Waits, unless the download is cancelled. */
const pause = (d: Download, seconds: number) =>
  new Promise<void>((done) => {
    const timer = setTimeout(done, seconds * 1000);
    d.stop = () => (clearTimeout(timer), done());
  });

/** Receives what is missing of the file. If it has changed meanwhile, that is the whole. */
async function receive(d: Download): Promise<void> {
  const stop = new AbortController();
  d.stop = () => stop.abort();
  const headers: Record<string, string> = {};
  if (d.received.value > 0 && d.tag) Object.assign(headers, { Range: `bytes=${d.received.value}-`, "If-Range": d.tag });
  // The cache of the browser would be a second copy.
  const response = await authorized(new Request(address(d.entry.path), { headers, signal: stop.signal, cache: "no-store" }));
  if (response.status !== 206) {
    d.parts = [];
    d.received.value = 0;
  }
  if (!response.ok) throw problemIn(response.status, await response.text(), (name) => response.headers.get(name));
  d.tag = response.headers.get("ETag");
  let chunks: Uint8Array<ArrayBuffer>[] = [];
  let held = 0;
  const keep = () => {
    d.parts.push(new Blob(chunks));
    d.received.value += held;
    [chunks, held] = [[], 0];
  };
  const reader = response.body!.getReader();
  try {
    for (let shown = Date.now(); ; ) {
      const { done, value } = await reader.read();
      if (done) return;
      chunks.push(value);
      held += value.length;
      if (held < maxHeld && Date.now() - shown < 200) continue; // milliseconds
      keep();
      shown = Date.now();
    }
  } finally {
    keep();
  }
}

ofOneUser(() => {
  cancel(...downloads.value.filter(active));
  downloads.value = [];
});

addEventListener("beforeunload", (event) => {
  if (!downloads.value.some(active)) return;
  event.preventDefault();
  event.returnValue = t().downloads.leave;
});
