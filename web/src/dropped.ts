// What somebody drops on the page: files, and folders with files.

/** A file, and its path below the folder in which it was dropped. */
export interface Dropped {
  file: File;
  path: string;
}

/** Returns the files, also those in folders. Folders without files are left out. */
export async function dropped(transfer: DataTransfer): Promise<Dropped[]> {
  const found: Dropped[] = [];
  // The list is emptied when the event is over, so that all of it is read before.
  const items = Array.from(transfer.items, (item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  for (const { entry, file } of items) {
    if (entry?.isDirectory) await walk(entry as FileSystemDirectoryEntry, found);
    else if (file) found.push({ file, path: file.name });
  }
  return found;
}

async function walk(folder: FileSystemDirectoryEntry, found: Dropped[]) {
  const reader = folder.createReader();
  // It returns some entries each time, and none at the end.
  for (let some: FileSystemEntry[]; (some = await promise(reader.readEntries.bind(reader))).length > 0; ) {
    for (const entry of some) {
      if (entry.isDirectory) await walk(entry as FileSystemDirectoryEntry, found);
      else found.push({ file: await promise((entry as FileSystemFileEntry).file.bind(entry)), path: entry.fullPath.replace(/^\//, "") });
    }
  }
}

const promise = <T>(call: (done: (value: T) => void, failed: (error: DOMException) => void) => void) => new Promise<T>(call);
