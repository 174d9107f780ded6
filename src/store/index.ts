export type { Backend, BackendTable, CollectionInfo, StoredRow } from './backend.ts'
export type { IndexFilesOptions, IndexProgress, IndexReport } from './indexFiles.ts'
export { connect, indexFiles } from './onDemand.ts'
export type * from './types.ts'
