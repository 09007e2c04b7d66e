// The files that are being uploaded, one after the other. They continue while the user
// looks at other views.
import { signal, type Signal } from "@preact/signals";
import { api, file, ok } from "./api";
import type { Dropped } from "./dropped";
import { address } from "./files";
import { ofOneUser } from "./owner";
import { offline, Problem, problemIn, problemOf } from "./problem";
import { freshToken, refresh } from "./session";
import { t } from "./texts";

type State = "waiting" | "sending" | "done" | "exists" | "failed" | "cancelled";

export interface Upload {
  readonly file: File;
  /** Its path, and the part of it that was dropped. */
  readonly path: string;
  readonly name: string;
  readonly state: Signal<State>;
  /** How many bytes are sent. */
  readonly sent: Signal<number>;
  /** Why it failed, or why it waits. */
  readonly problem: Signal<Problem | null>;
  replaces: boolean;
  stop: () => void;
}

export const uploads = signal<Upload[]>([]);
/** Changes when uploads have arrived, so that folders are read again: every few seconds at most. */
export const arrived = signal(0);
const pauseArrived = 3000; // milliseconds
let told = 0;
let untold = false;

function tell(now: boolean) {
  untold = !now;
  if (!now) return;
  told = Date.now();
  arrived.value++;
}

/** Adds files for a folder. Those that have arrived before are of no interest any more. */
export function add(folder: string, files: Dropped[]): void {
  const added = files.map(({ file, path }) => ({
    file, path: folder + path, name: path, state: signal<State>("waiting"), sent: signal(0), problem: signal<Problem | null>(null),
    replaces: false, stop: () => {},
  }));
  const now = new Set(added.map((u) => u.path));
  uploads.value = [...uploads.value.filter((u) => active(u) || (u.state.value !== "done" && !now.has(u.path))), ...added];
  void work();
}

/** Uploads a file again, instead of the one with its name if it replaces that. */
export function again(upload: Upload, replaces = upload.replaces): void {
  upload.replaces = replaces;
  upload.problem.value = null;
  upload.sent.value = 0;
  upload.state.value = "waiting";
  void work();
}

export function cancel(...some: Upload[]): void {
  for (const upload of some) upload.state.value = "cancelled";
  for (const upload of some) upload.stop();
}

/** Removes the uploads that are over. */
export function clear(): void {
  uploads.value = uploads.value.filter(active);
}

export const active = (upload: Upload) => upload.state.value === "waiting" || upload.state.value === "sending";

let working = false;
let rest = 0; // milliseconds until the next file

/**
 * Returns the milliseconds to wait after a response, so that many files do not use up the
 * requests that the server accepts from somebody: a quarter is left for what they do meanwhile.
 */
function restAfter(x: XMLHttpRequest): number {
  const [, left] = x.getResponseHeader("RateLimit")?.match(/;r=(\d+)/) ?? [];
  const [, quota, seconds] = x.getResponseHeader("RateLimit-Policy")?.match(/;q=(\d+);w=(\d+)/) ?? [];
  return Number(left) < Number(quota) / 4 ? (Number(seconds) * 1000) / Number(quota) : 0;
}

async function work() {
  if (working) return;
  working = true;
  for (let next; (next = uploads.value.find((u) => u.state.value === "waiting")); ) {
    await upload(next);
    if (rest > 0) await new Promise((done) => setTimeout(done, rest));
  }
  working = false;
  created.clear(); // somebody may delete them
  if (untold) tell(true);
}

const maxTries = 20; // while the server says when to try again, or there is no connection
const pauseOffline = 3; // seconds

async function upload(u: Upload) {
  for (let tries = 1; u.state.value !== "cancelled"; tries++) {
    u.state.value = "sending";
    u.sent.value = 0;
    u.problem.value = null;
    try {
      await put(u);
      u.state.value = "done";
      tell(Date.now() - told > pauseArrived);
      return;
    } catch (error) {
      if ((u.state.value as State) === "cancelled") return;
      const problem = problemOf(error);
      u.problem.value = problem;
      if (problem.status === 412) u.state.value = "exists";
      else if (problem.retryAfter === 0 || tries === maxTries) u.state.value = "failed";
      else await pause(u, problem.retryAfter);
      if (u.state.value !== "sending") return;
    }
  }
}

/** Waits, unless the upload is cancelled. */
const pause = (u: Upload, seconds: number) =>
  new Promise<void>((done) => {
    const timer = setTimeout(done, seconds * 1000);
    u.stop = () => (clearTimeout(timer), done());
  });

/** Creates the folders that were dropped around a file. The gateway accepts that they exist. */
async function createFolders(u: Upload): Promise<void> {
  const top = u.path.slice(0, u.path.length - u.name.length);
  for (const { index } of u.name.matchAll(/\//g)) {
    const folder = top + u.name.slice(0, index + 1);
    if (created.has(folder)) continue;
    await ok(api.PUT("/api/files/{path}", file(folder)));
    created.add(folder);
  }
}

const created = new Set<string>();

async function put(u: Upload): Promise<void> {
  await createFolders(u);
  const token = await freshToken();
  const problem = await transfer(u, token);
  if (problem?.status !== 401) {
    if (problem) throw problem;
    return;
  }
  const second = await transfer(u, await refresh(token));
  if (second) throw second;
}

/** Sends the file once. fetch would not report how far it is. */
function transfer(u: Upload, token: string): Promise<Problem | null> {
  return new Promise((done) => {
    const x = new XMLHttpRequest();
    x.open("PUT", address(u.path));
    x.setRequestHeader("Authorization", `Bearer ${token}`);
    x.setRequestHeader("Content-Type", "application/octet-stream");
    if (!u.replaces) x.setRequestHeader("If-None-Match", "*");
    x.upload.onprogress = (event) => (u.sent.value = event.loaded);
    x.onload = () => {
      rest = restAfter(x);
      done(x.status < 300 ? null : problemIn(x.status, x.responseText, (name) => x.getResponseHeader(name)));
    };
    x.onerror = () => done(offline(pauseOffline));
    x.onabort = () => done(new Problem("cancelled", 0));
    u.stop = () => x.abort();
    x.send(u.file);
  });
}

ofOneUser(() => {
  cancel(...uploads.value.filter(active));
  uploads.value = [];
});

addEventListener("beforeunload", (event) => {
  if (!uploads.value.some(active)) return;
  event.preventDefault();
  event.returnValue = t().uploads.leave;
});
