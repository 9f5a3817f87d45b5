"""What exporters write beside the graph (lines of source code, paths of the machine), taken out."""

import onnx


def save(value, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    graph = value.graph
    for one in (value, graph, *value.functions, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        one.ClearField("doc_string")
        del one.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
    path.write_bytes(value.SerializeToString(deterministic=True))


def tidy(path):
    """The same for a file, whose weights may lie beside it."""
    save(onnx.load(str(path), load_external_data=False), path)
