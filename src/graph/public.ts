// Door of `pipilo/graph` for users: the room, and its files where there are any; of bytes that name files, these know more.
export { type ParseOptions, parseOnnx, readOnnx, type WriteOptions, writeOnnx } from './files/index.ts'
export * from './index.ts'
