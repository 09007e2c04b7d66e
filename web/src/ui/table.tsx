import type { ComponentChildren } from "preact";

export interface Column<T> {
  label: string;
  cell: (item: T) => ComponentChildren;
}

interface Props<T> {
  label: string;
  columns: Column<T>[];
  items: T[];
  id: (item: T) => string;
}

/**
 * A table, of which each row becomes a card in narrow windows. The roles are named because
 * browsers forget them when the style makes a table look like something else.
 */
export function Table<T>({ label, columns, items, id }: Props<T>) {
  return (
    <table role="table" class="cards" aria-label={label}>
      <thead role="rowgroup">
        <tr role="row">{columns.map((column) => <th role="columnheader" scope="col" key={column.label}>{column.label}</th>)}</tr>
      </thead>
      <tbody role="rowgroup">
        {items.map((item) => (
          <tr role="row" key={id(item)}>
            {columns.map((column) => <td role="cell" key={column.label} data-label={column.label}>{column.cell(item)}</td>)}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
