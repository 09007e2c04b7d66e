import { useId } from "preact/hooks";

interface Props<V extends string> {
  name: string;
  label: string;
  hint?: string;
  options: Partial<Record<V, string>>;
  value: V;
  change?: (value: V) => void;
}

/** A labelled list of which one is chosen. */
export function Select<V extends string>({ name, label, hint, options, value, change }: Props<V>) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} name={name} aria-describedby={hint && `${id}-hint`} onChange={(event) => change?.(event.currentTarget.value as V)}>
        {Object.entries(options).map(([key, text]) => <option key={key} value={key} selected={key === value}>{text as string}</option>)}
      </select>
      {hint && <p class="hint" id={`${id}-hint`}>{hint}</p>}
    </div>
  );
}
