# huiyin_module(NAME DEPENDS ...): common/NAME as a library of its own, every .c and .cc in its folder.
function(huiyin_module name)
  cmake_parse_arguments(M "" "" "DEPENDS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.c ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  if(NOT sources)
    return()
  endif()
  add_library(hy_${name} STATIC ${sources})
  target_link_libraries(hy_${name} PUBLIC huiyin_flags ${M_DEPENDS})
endfunction()

# huiyin_proto(TARGET FILES...): protobuf-c for .proto files of the current folder, generated below the build folder.
function(huiyin_proto target)
  set(generated "")
  foreach(file ${ARGN})
    get_filename_component(stem ${file} NAME_WE)
    add_custom_command(
      OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${stem}.pb-c.c ${CMAKE_CURRENT_BINARY_DIR}/${stem}.pb-c.h
      COMMAND ${PROTOC} --plugin=protoc-gen-c=${PROTOC_C} --proto_path=${CMAKE_CURRENT_SOURCE_DIR}
        --c_out=${CMAKE_CURRENT_BINARY_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/${file}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file} VERBATIM)
    list(APPEND generated ${CMAKE_CURRENT_BINARY_DIR}/${stem}.pb-c.c)
  endforeach()
  add_library(${target} STATIC ${generated})
  target_include_directories(${target} SYSTEM PUBLIC ${CMAKE_CURRENT_BINARY_DIR})
  target_link_libraries(${target} PUBLIC PkgConfig::PROTOBUF_C)
  if(HY_SANITIZE STREQUAL "address")
    target_compile_options(${target} PRIVATE -fsanitize=address)
  endif()
endfunction()
