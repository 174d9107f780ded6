// Door of store/: collections of vectors in a database, and the indexing of files into them.
export type { Backend, BackendTable, CollectionInfo, Nearest, StoredRow } from './backend.ts'
export type { CollectionItemsOptions } from './collectionItems.ts'
export type { FileChanges, FileChangesOptions } from './fileChanges.ts'
export type { EmbedderIdentity } from './identity.ts'
export type { IndexedFile, IndexFilesOptions, IndexProgress, IndexReport } from './indexFiles.ts'
export { collectionItems, connect, fileChanges, indexFiles, removeFiles } from './onDemand.ts'
export type { KeptRows } from './prune.ts'
export type * from './types.ts'
