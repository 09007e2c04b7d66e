// The user's files: paths, lists, and what becomes of them.
import { api, file, ok, page, root, send, type Schemas } from "./api";
import { Problem, problemIn } from "./problem";
import { language } from "./texts";
import { freshToken } from "./session";

export type Entry = Schemas["Entry"];

/** Returns the path of a folder, with a slash at its end unless it is the whole. */
export const folderPath = (parts: string[]) => parts.filter(Boolean).map((part) => part + "/").join("");

/** Returns the entries of a folder, folders first, in the order of the user's language. */
export async function list(folder: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  let cursor: string | undefined;
  do {
    const call = api.GET("/api/files/{path}", { params: { path: { path: folder }, query: cursor ? { cursor } : {} } });
    const { items, next } = await page(call as unknown as Parameters<typeof page<Entry>>[0]); // a file would be no list
    entries.push(...items);
    cursor = next;
  } while (cursor);
  const order = new Intl.Collator(language.value, { numeric: true });
  return entries.sort((a, b) => Number(b.type === "folder") - Number(a.type === "folder") || order.compare(a.name, b.name));
}

/** Creates a folder. The gateway would accept that it exists already. */
export async function createFolder(folder: string, name: string, siblings: Entry[]): Promise<void> {
  if (siblings.some((entry) => entry.name === name)) throw new Problem("file_exists", 412);
  await ok(api.PUT("/api/files/{path}", file(folder + name + "/")));
}

export async function move(entry: Entry, to: string): Promise<void> {
  await ok(api.POST("/api/files/{path}", { ...file(entry.path), body: { move_to: to, overwrite: false } }));
}

export async function remove(entry: Entry): Promise<void> {
  await ok(api.DELETE("/api/files/{path}", file(entry.path)));
}

/** Returns the content of a file, or only its beginning. */
export async function read(entry: Entry, bytes?: number): Promise<Blob> {
  const headers: Record<string, string> = { Authorization: `Bearer ${await freshToken()}` };
  if (bytes !== undefined && entry.size > bytes) headers.Range = `bytes=0-${bytes - 1}`;
  const response = await send(new Request(address(entry.path), { headers }));
  if (!response.ok) throw problemIn(response.status, await response.text(), (name) => response.headers.get(name));
  return response.blob();
}

/** Returns the address of a file. */
export const address = (path: string) => `${root}/api/files/${path.split("/").map(encodeURIComponent).join("/")}`;

/** The pictures that browsers decode without running anything. */
const pictures = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"];
const maxPicture = 25_000_000; // bytes
export const maxText = 200_000; // bytes

/** Returns what the page can show of a file. */
export function preview(entry: Entry): "picture" | "text" | null {
  const type = (entry.content_type ?? "").split(";")[0]!.trim();
  if (pictures.includes(type) && entry.size <= maxPicture) return "picture";
  return type === "text/plain" ? "text" : null;
}
