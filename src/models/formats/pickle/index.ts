// Door of pickle/: reading of what `torch.save` wrote.
export { readTorch, type TorchFile } from './torch.ts'
