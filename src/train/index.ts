// Door of train/: objectives, augmentations, loaders and the trainer.
// Augmentations
export * from './augmentations/index.ts'
