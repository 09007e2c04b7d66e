// Which events of the audit trail are shown.
import { useEffect, useRef, useState } from "preact/hooks";
import { api, ok } from "../api";
import { to, toQuery } from "../route";
import { useLoad } from "../ui/load";
import { Search } from "../ui/search";
import { a } from "./texts";
import { groups, type EventName, type Group } from "./texts/events";

/** The filter as the address has it; empty values select everything. */
export interface TrailFilter {
  user: string; // an id
  event: string; // the name of an event or of a group of events
  time: string; // "today", a number of days, or "range"
  first: string; // of the range: a day such as 2026-03-01
  last: string; // which is included
}

export function filterOf(query: URLSearchParams): TrailFilter {
  const value = (name: string) => query.get(name) ?? "";
  return { user: value("user"), event: value("event"), time: value("time"), first: value("first"), last: value("last") };
}

/** Returns the beginning of a day in the time zone of the browser, or nothing if it is no day. */
function begin(day: string, plus = 0): string | undefined {
  const [year, month, date] = day.split("-").map(Number);
  const time = new Date(year!, month! - 1, date! + plus);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

function since(time: string, now: Date): Date | undefined {
  if (time === "today") return new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const days = Number(time);
  return days > 0 ? new Date(now.getTime() - days * 86_400_000) : undefined;
}

/** Returns the parameters of the API. */
export function filterQuery({ user, event, time, first, last }: TrailFilter, now: Date) {
  const from = time === "range" ? begin(first) : since(time, now)?.toISOString();
  const until = time === "range" ? begin(last, 1) : undefined;
  const names: readonly EventName[] = event in groups ? groups[event as Group] : event ? [event as EventName] : [];
  return {
    ...(user && { user_id: user }),
    ...(names.length > 0 && { event: [...names] }),
    ...(from && { since: from }),
    ...(until && { until }),
  };
}

export function Filter({ filter }: { filter: TrailFilter }) {
  const set = (changes: Partial<TrailFilter>) => {
    const next = { ...filter, ...changes };
    if (next.time !== "range") next.first = next.last = "";
    location.hash = toQuery(to("admin", "trail"), { ...next });
  };
  return (
    <div class="filters">
      <label>
        <span>{a().trail.kind}</span>
        <select value={filter.event} onChange={(event) => set({ event: event.currentTarget.value })}>
          <option value="">{a().trail.anything}</option>
          <option value="attention">{a().groups.attention}</option>
          {(Object.keys(groups) as Group[]).filter((group) => group !== "attention").map((group) => (
            <optgroup key={group} label={a().groups[group]}>
              <option value={group}>{a().trail.all(a().groups[group])}</option>
              {groups[group].map((name) => <option key={name} value={name}>{a().events[name]}</option>)}
            </optgroup>
          ))}
        </select>
      </label>
      <label>
        <span>{a().trail.time}</span>
        <select value={filter.time} onChange={(event) => set({ time: event.currentTarget.value })}>
          {["", "today", "7", "30", "range"].map((time) => <option key={time} value={time}>{a().trail.times[time]}</option>)}
        </select>
      </label>
      {filter.time === "range" && (["first", "last"] as const).map((name) => (
        <label key={name}>
          <span>{a().trail[name]}</span>
          <input
            type="date" value={filter[name]} min={name === "last" ? filter.first : undefined} max={name === "first" ? filter.last : undefined}
            onChange={(event) => set({ [name]: event.currentTarget.value })}
          />
        </label>
      ))}
      <User id={filter.user} choose={(user) => set({ user })} />
    </div>
  );
}

interface UserProps {
  id: string;
  choose: (id: string) => void;
}

/** The user whose events are shown, or a search for one. */
function User({ id, choose }: UserProps) {
  const [chosen, setChosen] = useState(false); // here, so that the focus follows
  const area = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (chosen) area.current!.querySelector<HTMLElement>("button, input")?.focus();
    setChosen(false);
  }, [id]);
  function pick(next: string) {
    setChosen(true);
    choose(next);
  }
  return (
    <div class="whose" ref={area}>
      {id ? <Chosen id={id} remove={() => pick("")} /> : <Find choose={pick} />}
    </div>
  );
}

function Chosen({ id, remove }: { id: string; remove: () => void }) {
  // A deleted user has no address any more, but still has events.
  const { data, problem } = useLoad(() => ok(api.GET("/api/users/{id}", { params: { path: { id } } })), [id]);
  return (
    <p class="line">
      <strong role="status">{data ? a().trail.only(data.email) : problem && a().trail.only(a().trail.deleted)}</strong>
      <button type="button" onClick={remove}>{a().trail.everybody}</button>
    </p>
  );
}

function Find({ choose }: { choose: (id: string) => void }) {
  const [q, search] = useState("");
  const { data } = useLoad(async () => (q ? ok(api.GET("/api/users", { params: { query: { q, limit: 5 } } })) : null), [q]);
  return (
    <>
      <Search label={a().trail.search} value={q} search={search} />
      <div role="status">{data?.length === 0 && <p class="quiet">{a().trail.noUser}</p>}</div>
      {!!data?.length && (
        <ul class="choices" aria-label={a().trail.search}>
          {data.map((user) => (
            <li key={user.id}>
              <button type="button" onClick={() => choose(user.id)}>{user.email} {user.full_name && <span class="quiet">{user.full_name}</span>}</button>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
