// The part of the page that only administrators see, and load.
import { useEffect } from "preact/hooks";
import { go, route, to } from "../route";
import { a } from "./texts";
import { Health } from "./health";
import { Storage } from "./storage";
import { Trail } from "./trail";
import { Users } from "./users";
import "./style.css";

/** The views, by their names in the address, such as #/admin/users; the first one is shown if it names none. */
const views = { users: Users, storage: Storage, trail: Trail, health: Health };
type View = keyof typeof views;

export function Administration() {
  const names = Object.keys(views) as View[];
  const named = route.value[1];
  const view = names.find((name) => name === named) ?? names[0]!;
  useEffect(() => {
    if (named !== view) go("admin", view);
  }, [named, view]);
  const View = views[view];
  return (
    <>
      <nav class="parts" aria-label={a().nav.label}>
        {names.map((name) => <a key={name} href={to("admin", name)} aria-current={name === view ? "page" : undefined}>{a().nav[name]}</a>)}
      </nav>
      {named === view && <View key={view} />}
    </>
  );
}
