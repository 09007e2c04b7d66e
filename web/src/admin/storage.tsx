import { api, page } from "../api";
import { Paged, usePages } from "../ui/pages";
import { Title } from "../ui/page";
import { a } from "./texts";

/** The accounts in Nextcloud. */
export function Storage() {
  const list = usePages((cursor) => page(api.GET("/api/nextcloud/accounts", { params: { query: cursor ? { cursor } : {} } })));
  return (
    <>
      <Title>{a().storage.title}</Title>
      <section>
        <Paged list={list} empty={<p class="empty">{a().storage.none}</p>}>
          {(accounts) => <ul class="rows">{accounts.map((account) => <li key={account.user_id}>{account.email}</li>)}</ul>}
        </Paged>
      </section>
    </>
  );
}
