// Reads what was dropped: files, and folders with all that is in them.

/** A file and its path in the folder that was dropped or chosen. */
export interface Found {
  readonly path: string
  readonly file: File
}

/** Files of a drop, those of folders included. What begins with a dot is left out, as indexing does. */
export async function readDropped(data: DataTransfer): Promise<Found[]> {
  // Entries are there only until the event is over.
  const given = [...data.items]
    .filter(({ kind }) => kind === 'file')
    .map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }))
  const found: Found[] = []
  for (const { entry, file } of given) {
    if (entry?.isDirectory) await readFolder(entry as FileSystemDirectoryEntry, `${entry.name}/`, found)
    else if (file) found.push({ path: file.name, file })
  }
  return found
}

/** Files that a field of a form holds. */
export const chosen = (files: FileList | null): Found[] =>
  [...(files ?? [])]
    .map((file) => ({ path: file.webkitRelativePath || file.name, file }))
    .filter(({ path }) => !path.split('/').some(isHidden))

const isHidden = (name: string): boolean => name.startsWith('.')

async function readFolder(folder: FileSystemDirectoryEntry, path: string, found: Found[]): Promise<void> {
  const reader = folder.createReader()
  // A call gives a hundred at most; an empty list is the end.
  for (;;) {
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    )
    if (entries.length === 0) return
    for (const entry of entries) {
      if (isHidden(entry.name)) continue
      if (entry.isDirectory)
        await readFolder(entry as FileSystemDirectoryEntry, `${path}${entry.name}/`, found)
      else {
        const file = await new Promise<File>((resolve, reject) =>
          (entry as FileSystemFileEntry).file(resolve, reject),
        )
        found.push({ path: `${path}${entry.name}`, file })
      }
    }
  }
}

/** True of a single picture, which is a question rather than something to keep. */
export const isPicture = (found: readonly Found[]): boolean =>
  found.length === 1 && found[0]!.path === found[0]!.file.name && found[0]!.file.type.startsWith('image/')
