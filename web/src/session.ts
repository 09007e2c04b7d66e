// Who is signed in. The refresh token is in a cookie that scripts cannot read. The access
// token is in memory only, and the tabs of a browser share it: one of them refreshes, and
// tells the others.
import { signal } from "@preact/signals";
import { ok, open, api, type Schemas } from "./api";
import { use } from "./texts";
import { Problem, problemOf } from "./problem";

type State = "starting" | "out" | "in" | "failed";

export const state = signal<State>("starting");
export const user = signal<Schemas["User"] | null>(null);
/** Why the state is "failed". */
export const failure = signal<Problem | null>(null);
type Ending = "expired" | "deleted";
/** How the last login in this browser ended, unless by a sign-out. */
export const ended = signal<Ending | null>(null);

let access: { token: string; until: number } | null = null;

type News = { token: string; until: number } | "out" | "changed" | Ending;
const channel = new BroadcastChannel("voiceassist");
channel.onmessage = ({ data }: MessageEvent<News>) => {
  if (data === "out") return leave(null);
  if (data === "expired" || data === "deleted") return leave(data);
  if (data === "changed") return void load().catch(() => {});
  access = data;
  if (state.value !== "in") void load().catch(fail);
};

const tell = (news: News) => channel.postMessage(news);

// The browser remembers that somebody is signed in, so that strangers need no call.
const hint = {
  get: () => attempt(() => localStorage.getItem("signed-in") === "yes", true),
  set: (on: boolean) => attempt(() => (on ? localStorage.setItem("signed-in", "yes") : localStorage.removeItem("signed-in")), undefined),
};

function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise; // the browser keeps nothing
  }
}

/** Finds out whether somebody is signed in, as the page opens. */
export async function start(): Promise<void> {
  state.value = "starting";
  failure.value = null;
  if (!hint.get()) return leave(null);
  try {
    await refresh();
    await load();
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown) {
  if (state.value === "out") return; // the refresh was refused
  failure.value = problemOf(error);
  state.value = "failed";
}

/** Accepts the tokens of a login. */
export async function enter(tokens: Schemas["TokenPair"]): Promise<void> {
  accept(tokens);
  await load();
}

function accept(tokens: Schemas["TokenPair"]) {
  access = { token: tokens.access_token, until: Date.now() + tokens.expires_in * 1000 };
  hint.set(true);
  tell(access);
}

async function load() {
  show(await ok(api.GET("/api/users/me")));
}

/** Shows a user who has changed, in all tabs. */
export function changed(next: Schemas["User"]): void {
  show(next);
  tell("changed");
}

function show(next: Schemas["User"]) {
  if (typeof next.preferences.language === "string") use(next.preferences.language);
  user.value = next;
  ended.value = null;
  state.value = "in";
}

function leave(by: Ending | null) {
  if (by && state.value === "in") ended.value = by;
  access = null;
  user.value = null;
  hint.set(false);
  state.value = "out";
}

/** Signs out of this browser, in all tabs. */
export async function signOut(): Promise<void> {
  await ok(api.POST("/api/auth/logout", { body: {} })).catch((error: unknown) => {
    if (problemOf(error).status !== 401) throw error; // otherwise it has ended already
  });
  leave(null);
  tell("out");
}

/** Leaves all tabs, because the account is deleted. */
export function deleted(): void {
  leave("deleted");
  tell("deleted");
}

/** Returns an access token that is valid for at least some seconds. */
export async function freshToken(): Promise<string> {
  return access && access.until > Date.now() + 10_000 ? access.token : refresh(access?.token);
}

/**
 * Returns a new access token, instead of the stale one. Tabs take turns; if another one has
 * refreshed meanwhile, its token is returned.
 */
export function refresh(stale?: string): Promise<string> {
  return exclusively(async () => {
    if (access && access.token !== stale) return access.token;
    try {
      accept(await ok(open.POST("/api/auth/refresh", { body: {} })));
      return access!.token;
    } catch (error) {
      if (problemOf(error).status === 401) {
        leave("expired");
        tell("expired");
      }
      throw error;
    }
  });
}

function exclusively<T>(task: () => Promise<T>): Promise<T> {
  // Without locks, the gateway accepts a refresh token that two tabs send at once.
  return navigator.locks ? (navigator.locks.request("voiceassist-refresh", task) as Promise<T>) : task();
}
