import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { api, page } from "../api";
import { go, route, to } from "../route";
import { time } from "../texts";
import { Note } from "../ui/message";
import { Paged, usePages } from "../ui/pages";
import { Title } from "../ui/page";
import { Search } from "../ui/search";
import { Table, type Column } from "../ui/table";
import { Tag } from "../ui/tag";
import { Invite } from "./invite";
import { nameOf, stateOf, type User } from "./people";
import { a } from "./texts";
import { One } from "./user";

/** All users, or one of them: #/admin/users/ID. */
export function Users() {
  const id = route.value[2];
  const [note, setNote] = useState(""); // what happened to a user who is not shown
  useEffect(() => {
    if (id) setNote("");
  }, [id]);
  function deleted(name: string) {
    setNote(a().user.deleted(name));
    go("admin", "users");
  }
  return id ? <One key={id} id={id} deleted={deleted} /> : <All note={note} />;
}

/** What was searched for last. It stays while one of the users is shown. */
const query = signal("");

function All({ note }: { note: string }) {
  const q = query.value;
  const list = usePages((cursor) => page(api.GET("/api/users", { params: { query: { ...(q && { q }), ...(cursor && { cursor }) } } })), [q]);
  const [inviting, invite] = useState(false);
  const [added, setAdded] = useState(note);
  const texts = a().users;
  return (
    <>
      <div class="head">
        <Title>{texts.title}</Title>
        <div class="tools"><button type="button" class="main" onClick={() => invite(true)}>{texts.add}</button></div>
      </div>
      <Note>{added}</Note>
      <section class="listing">
        <Search label={texts.search} value={q} search={(text) => (query.value = text)} />
        <Paged list={list} empty={<p class="empty">{q ? texts.none(q) : texts.nobody}</p>}>
          {(users) => <Table label={texts.title} columns={columns()} items={users} id={(u) => u.id} />}
        </Paged>
      </section>
      {inviting && (
        <Invite
          close={() => invite(false)}
          done={(text) => {
            invite(false);
            setAdded(text);
            void list.reload();
          }}
        />
      )}
    </>
  );
}

function columns(): Column<User>[] {
  const texts = a().users;
  return [
    {
      label: texts.user,
      cell: (u) => (
        <span class="person">
          <a href={to("admin", "users", u.id)}>{nameOf(u)}</a>
          {u.full_name && <span class="quiet">{u.email}</span>}
        </span>
      ),
    },
    { label: texts.role, cell: (u) => texts.roles[u.role] },
    {
      label: texts.state,
      cell: (u) => {
        const state = stateOf(u);
        return <Tag tone={state.tone}>{state.text}</Tag>;
      },
    },
    { label: texts.lastLogin, cell: (u) => <span class="quiet">{u.last_login ? time(u.last_login) : texts.never}</span> },
  ];
}
