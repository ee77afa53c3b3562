"""A handler as one writes it by hand: FastAPI around onnxruntime, without any check.

It takes and gives the tensors of the Open Inference Protocol, so that both servers read and
write the same.

    python benchmarks/_serving_bare.py FILE
"""

import socket
import sys

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, Request

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options)
app = FastAPI()


@app.post("/v2/models/mlp/infer")
async def infer(request: Request):
    (tensor,) = (await request.json())["inputs"]
    X = np.array(tensor["data"], np.float32).reshape(tensor["shape"])
    labels, p = session.run(["label", "probabilities"], {tensor["name"]: X})
    return {
        "model_name": "mlp",
        "outputs": [
            {
                "name": "label",
                "datatype": "INT64",
                "shape": labels.shape,
                "data": labels.tolist(),
            },
            {
                "name": "probabilities",
                "datatype": "FP32",
                "shape": p.shape,
                "data": p.ravel().tolist(),
            },
        ],
    }


def main():
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    host, port = listener.getsockname()
    print(f"serving http://{host}:{port}", flush=True)
    config = uvicorn.Config(app, http="h11", ws="none", log_config=None)
    config.access_log = False
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
