import { useState } from "preact/hooks";
import { api, page } from "../api";
import { Paged, usePages } from "../ui/pages";
import { Title } from "../ui/page";
import { Search } from "../ui/search";
import { a } from "./texts";

export function Users() {
  const [q, search] = useState("");
  const list = usePages((cursor) => page(api.GET("/api/users", { params: { query: { ...(q && { q }), ...(cursor && { cursor }) } } })), [q]);
  return (
    <>
      <Title>{a().users.title}</Title>
      <section>
        <Search label={a().users.search} value={q} search={search} />
        <Paged list={list} empty={<p class="empty">{a().users.none}</p>}>
          {(users) => <ul class="rows">{users.map((user) => <li key={user.id}>{user.email}</li>)}</ul>}
        </Paged>
      </section>
    </>
  );
}
