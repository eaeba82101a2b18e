// Depth peeling: the second layer keeps only fragments behind the first layer's depth.
uniform sampler2D u_first_depth;

bool is_peeled_away() {
    float first = texelFetch(u_first_depth, ivec2(gl_FragCoord.xy), 0).r;
    return first >= 1.0 || gl_FragCoord.z <= first + 1.2e-7;  // the tolerance is two steps of a 24-bit depth buffer
}
