import { useEffect, useId, useRef } from "preact/hooks";

const pause = 300; // milliseconds after the last letter

interface Props {
  label: string;
  value: string;
  search: (text: string) => void;
}

/** A field that searches while somebody types, and at once with the Enter key. */
export function Search({ label, value, search }: Props) {
  const id = useId();
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  function later(text: string, after: number) {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => search(text.trim()), after);
  }
  return (
    <form role="search" class="search" onSubmit={(event) => (event.preventDefault(), later(event.currentTarget.q.value, 0))}>
      <label class="unseen" for={id}>{label}</label>
      <input
        id={id} name="q" type="search" placeholder={label} defaultValue={value} maxLength={254} autocomplete="off" spellcheck={false}
        onInput={(event) => later(event.currentTarget.value, pause)}
      />
    </form>
  );
}
