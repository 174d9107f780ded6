// Door of train/: loading of labelled data.

// Data: batches, samplers, splits, pictures.
export { type Batch, type BatchOptions, batches, samplerOf } from './data/batches.ts'
export { type ClassOptions, classSampler } from './data/classSampler.ts'
export { classCounts, classWeights } from './data/classWeights.ts'
export { distinctKeys } from './data/distinctKeys.ts'
export { distinctSampler, type SampleKeys } from './data/distinctSampler.ts'
export {
  type DecodedPicture,
  type PictureDecoder,
  type PictureOptions,
  pictureDecoder,
  pictureTensor,
} from './data/pictures.ts'
export { type PlainOptions, plainSampler, type Sampler } from './data/sampler.ts'
export { type SplitOptions, splitDataset, subset } from './data/split.ts'
