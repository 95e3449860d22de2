/** The packages of this folder that have WebGPU, for pages. */
export * as jax from '@jax-js/jax';
export * as tf from '@tensorflow/tfjs-core';

import '@tensorflow/tfjs-backend-webgpu';

export * as ort from 'onnxruntime-web/webgpu';
