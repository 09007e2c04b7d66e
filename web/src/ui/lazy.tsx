// Views whose code is loaded when somebody first opens them.
import type { ComponentType } from "preact";
import { root } from "../api";
import { useLoad } from "./load";
import { Loading, Trouble } from "./message";

/** Returns a view that loads its code. */
export function lazy(load: () => Promise<ComponentType>) {
  let failed = false;
  async function read() {
    try {
      return await load();
    } catch (error) {
      // Some browsers remember the failure. And a gateway that was updated has files of
      // other names. Both end when the whole page is loaded again.
      if (failed && (await responds())) location.reload();
      failed = true;
      throw error;
    }
  }
  return function Lazy() {
    const { data: View, problem, reload } = useLoad(read);
    if (View) return <View />;
    return problem ? <Trouble problem={problem} retry={reload} /> : <Loading />;
  };
}

const responds = () => fetch(`${root}/`, { headers: { Accept: "text/html" } }).then((response) => response.ok, () => false);
