// Names of the metadata that rows of files have.

/** All that indexed files may have; a picture has no line, and most rows no reading. */
export const fileFields: readonly string[] = ['path', 'line', 'text', 'sha256', 'size', 'modified', 'reading']

/** True for the fields of a collection that files were indexed into. */
export const isOfFiles = (names: readonly string[]): boolean =>
  names.includes('path') && names.includes('sha256')
