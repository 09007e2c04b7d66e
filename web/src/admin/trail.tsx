import { useEffect, useState } from "preact/hooks";
import { api, page, type Schemas } from "../api";
import { deviceName } from "../device";
import { query, to, toQuery } from "../route";
import { save } from "../save";
import { time } from "../texts";
import { Note } from "../ui/message";
import { Paged, usePages } from "../ui/pages";
import { Title } from "../ui/page";
import { Table } from "../ui/table";
import { Tag } from "../ui/tag";
import { csv } from "./csv";
import { a } from "./texts";
import { named } from "./texts/events";
import { Filter, filterOf, filterQuery } from "./trailfilter";

type Event = Schemas["AuditEvent"];

/** The audit trail. The address keeps the filter, so that it can be linked: #/admin/trail?user=ID. */
export function Trail() {
  const filter = filterOf(query.value);
  const list = usePages(
    (cursor) => page(api.GET("/api/audit", { params: { query: { ...filterQuery(filter, new Date()), ...(cursor && { cursor }) } } })),
    Object.values(filter),
  );
  const [saved, setSaved] = useState(0);
  useEffect(() => setSaved(0), Object.values(filter));
  const columns = [
    { label: a().trail.what, cell: (e: Event) => <What {...e} /> },
    { label: a().trail.who, cell: (e: Event) => <Who {...e} /> },
    { label: a().trail.from, cell: (e: Event) => <From {...e} /> },
    { label: a().trail.when, cell: (e: Event) => <time dateTime={e.at}>{time(e.at)}</time> },
  ];
  function download(events: Event[]) {
    save(csv(events), `audit-trail-${new Date().toISOString().slice(0, 10)}.csv`);
    setSaved(events.length);
  }
  return (
    <>
      <div class="head">
        <Title>{a().trail.title}</Title>
        <div class="tools">
          <button type="button" aria-disabled={list.busy} onClick={() => !list.busy && void list.reload()}>{a().trail.reload}</button>
          {!!list.items?.length && <button type="button" onClick={() => download(list.items!)}>{a().trail.save}</button>}
        </div>
      </div>
      <p class="quiet">{a().trail.intro}</p>
      <Note>{saved > 0 && a().trail.saved(saved)}</Note>
      <section class="trail">
        <Filter filter={filter} />
        <Paged list={list} empty={<p class="empty">{a().trail.none}</p>}>
          {(events) => <Table label={a().trail.title} columns={columns} items={events} id={(e) => e.id} />}
        </Paged>
      </section>
    </>
  );
}

function What({ event, detail, alarming }: Event) {
  return (
    <div>
      <strong>{a().events[event] ?? event}</strong> {alarming && <Tag tone="bad">{a().trail.alarming}</Tag>}
      {detail && <p class="quiet">{named.includes(event) ? detail : inWords(detail)}</p>}
      {a().advice[event] && <p class="quiet">{a().advice[event]}</p>}
    </div>
  );
}

/** Returns a detail in the language of the page. For a backup code it is what it was for, and how many remain. */
function inWords(detail: string): string {
  const [, reason, codes] = /^(.*); (\d+) remain$/.exec(detail) ?? [, detail];
  const words = a().details[reason!] ?? reason!;
  return codes ? `${words}; ${a().remaining(Number(codes))}` : words;
}

function Who({ user_id, user_email, actor_id, actor_email }: Event) {
  const user = user_email ?? (user_id ? a().trail.deleted : a().trail.nobody);
  return (
    <div>
      {user_id ? <a href={toQuery(to("admin", "trail"), { user: user_id })} aria-label={a().trail.onlyOf(user)}>{user}</a> : user}
      {actor_id && actor_id !== user_id && <p class="quiet">{a().trail.by(actor_email ?? a().trail.deleted)}</p>}
    </div>
  );
}

function From({ address, device }: Event) {
  if (!address) return <span>{device === "command line" ? a().trail.console : a().trail.gateway}</span>;
  return (
    <div>
      {deviceName(device)}
      <p class="quiet">{address}</p>
    </div>
  );
}
