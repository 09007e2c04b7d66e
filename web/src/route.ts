// Which view is shown. The address keeps it behind #, so that the gateway serves one path
// and reloading works everywhere: #/files/Documents/ shows that folder.
import { computed, signal } from "@preact/signals";

const hash = signal(location.hash);
addEventListener("hashchange", () => (hash.value = location.hash));

/** The parts of the address behind #/, without escapes. */
export const route = computed(() =>
  hash.value
    .replace(/^#\/?/, "")
    .split("/")
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part; // somebody typed a %
      }
    }),
);

/** Returns the address of a view. */
export const to = (...parts: string[]): string => "#/" + parts.map(encodeURIComponent).join("/");

/** Shows a view. */
export function go(...parts: string[]): void {
  location.hash = to(...parts);
}
