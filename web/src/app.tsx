import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { problemOf, type Problem } from "./problem";
import { go, route, to } from "./route";
import { failure, signOut, start, state, user } from "./session";
import { language, t } from "./texts";
import { lazy } from "./ui/lazy";
import { Loading, Trouble } from "./ui/message";
import { Logo } from "./ui/page";
import { Account } from "./views/account";
import { Apps } from "./views/apps";
import { Conversations } from "./views/conversations";
import { Files } from "./views/files";
import { Forgot, Register } from "./views/register";
import { Security } from "./views/security";
import { SignIn } from "./views/signin";

const online = signal(navigator.onLine);
for (const event of ["online", "offline"]) addEventListener(event, () => (online.value = navigator.onLine));

// Only administrators need its code.
const Administration = lazy(async () => (await import("./admin")).Administration);

/** The views of somebody who is signed in; the first one is shown if the address names none. */
const everyone = { files: Files, conversations: Conversations, account: Account, security: Security, apps: Apps };
const administrators = { ...everyone, admin: Administration };
type View = keyof typeof administrators;

export function App() {
  useEffect(() => {
    document.documentElement.lang = language.value;
  }, [language.value]);
  return (
    <>
      {!online.value && <p class="banner" role="status">{t().offline}</p>}
      <Shown />
    </>
  );
}

function Shown() {
  switch (state.value) {
    case "starting":
      return <Loading />;
    case "failed":
      return <main class="alone"><Trouble problem={failure.value!} retry={() => void start()} /></main>;
    case "out":
      return { register: <Register />, forgot: <Forgot /> }[route.value[0]!] ?? <SignIn />;
    case "in":
      return <Inside />;
  }
}

function Inside() {
  const views: Partial<typeof administrators> = user.value!.is_admin ? administrators : everyone;
  const names = Object.keys(views) as View[];
  const named = route.value[0];
  const view = names.find((name) => name === named) ?? names[0]!;
  const [open, setOpen] = useState(false); // the menu of narrow windows
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => setOpen(false), [route.value]);
  useEffect(() => {
    if (named !== view) go(view);
  }, [named, view]);
  const View = views[view]!;
  return (
    <>
      <a class="skip" href="#content" onClick={skip}>{t().skip}</a>
      <header class="top">
        <p class="brand"><Logo /> {t().name}</p>
        <button type="button" class="menu" aria-expanded={open} aria-controls="nav" onClick={() => setOpen(!open)}>{t().menu}</button>
        <nav id="nav" class={open ? "open" : ""} aria-label={t().nav.label}>
          {names.map((name) => (
            <a key={name} href={to(name)} aria-current={name === view ? "page" : undefined}>{t().nav[name]}</a>
          ))}
          <bdi class="who">{user.value!.full_name || user.value!.email}</bdi>
          <button type="button" class="plain" onClick={() => signOut().catch((error) => setProblem(problemOf(error)))}>{t().nav.signOut}</button>
        </nav>
      </header>
      <main id="content" tabIndex={-1}>
        {problem && <Trouble problem={problem} />}
        {named === view && <View key={view} />}
      </main>
    </>
  );
}

/** Moves the focus past the navigation. The address must stay, because it names the view. */
function skip(event: Event) {
  event.preventDefault();
  document.getElementById("content")!.focus();
}
